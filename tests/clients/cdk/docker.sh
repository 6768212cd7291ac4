#!/bin/sh
# The five commands of docker that the CDK runs for an image asset. `build` takes the OCI image in the folder `image` of the build
# context instead of the Dockerfile; the rest is done by skopeo. Images are kept in $STORE.
set -eu
name() { printf %s "$1" | tr /: __; }
command=$1
shift
case $command in
inspect) test -d "$STORE/$(name "$1")" ;;
build)
  while [ "$1" != --tag ]; do shift; done
  cp -r image "$STORE/$(name "$2")"
  ;;
tag) cp -r "$STORE/$(name "$1")" "$STORE/$(name "$2")" ;;
login) cat > "$STORE/password" ;;
push)
  skopeo --insecure-policy copy --quiet --dest-tls-verify=false --dest-creds "AWS:$(cat "$STORE/password")" \
    "oci:$STORE/$(name "$1")" "docker://$1"
  ;;
*) echo "docker $command is not expected" >&2 && exit 1 ;;
esac
