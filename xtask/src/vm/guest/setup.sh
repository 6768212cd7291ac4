# Runs inside of the new system while its disk is built. $1 is the public key that its users accept.
set -eu
echo escale-vm > /etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 escale-vm\n::1 localhost ip6-localhost ip6-loopback\n' > /etc/hosts
echo '/dev/vda / ext4 defaults 0 1' > /etc/fstab
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' > /etc/systemd/network/20.network
mkdir -p /var/log/journal # kept over a reboot

useradd -m -s /bin/bash dev
echo 'dev ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/dev
chmod 440 /etc/sudoers.d/dev
for home in /root /home/dev; do
    mkdir -p "$home/.ssh"
    echo "$1" > "$home/.ssh/authorized_keys"
    chmod 700 "$home/.ssh"
    chmod 600 "$home/.ssh/authorized_keys"
done
chown -R dev: /home/dev/.ssh
systemctl enable systemd-networkd ssh
# Servers of databases are Escale's to start.
systemctl disable postgresql
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
