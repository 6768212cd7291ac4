//! `#[derive(Wire)]`: reads a struct from the wire's value tree and writes it back.
//!
//! On the struct: `#[wire(camelCase)]` for services whose members begin with a lower-case letter. On a field:
//! `#[wire("DBName")]` for a member whose spelling does not follow from the field's name. Escale has its own derive
//! instead of serde's because it compiles a fraction of the code, and because it gives the list of fields at run time
//! (`FIELDS`): start-up checks that list against the model, and a member outside of it is refused.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr, parse_macro_input};

#[proc_macro_derive(Wire, attributes(wire))]
pub fn derive_wire(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

fn expand(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let options = Options::read(input)?;
    let base = &options.base;
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            input,
            "Wire is derived for structs; use choice! for enumerations",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(input, "Wire needs named fields"));
    };
    let (mut reads, mut writes, mut list) = (vec![], vec![], vec![]);
    for field in &fields.named {
        let ident = field.ident.as_ref().expect("named fields have names");
        let ty = &field.ty;
        let name = field_name(field)?.unwrap_or_else(|| spell(&ident.to_string(), options.camel));
        reads.push(quote! { #ident: #base::wire::member::<#ty>(object, #name)? });
        writes.push(quote! { #base::wire::put(&mut object, #name, &self.#ident); });
        list.push(quote! {
            #base::wire::Field {
                name: #name,
                open: <#ty as #base::wire::Wire>::OPEN,
                choices: <#ty as #base::wire::Wire>::CHOICES,
                below: || <#ty as #base::wire::Wire>::FIELDS,
            }
        });
    }
    let name = &input.ident;
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #parameters #base::wire::Wire for #name #arguments #bounds {
            const FIELDS: &'static [#base::wire::Field] = &[#(#list),*];
            fn read(value: &#base::wire::Value) -> Result<Self, #base::wire::ReadError> {
                #[allow(unused_variables)]
                let object = #base::wire::structure(value)?;
                Ok(Self { #(#reads),* })
            }
            fn write(&self) -> #base::wire::Value {
                #[allow(unused_mut)]
                let mut object = #base::wire::Map::new();
                #(#writes)*
                #base::wire::Value::Object(object)
            }
        }
    })
}

struct Options {
    camel: bool,
    /// The path of `escale_base`, which is `crate` inside of that crate.
    base: syn::Path,
}

impl Options {
    fn read(input: &DeriveInput) -> syn::Result<Options> {
        let mut options = Options { camel: false, base: syn::parse_quote!(::escale_base) };
        for attr in input.attrs.iter().filter(|a| a.path().is_ident("wire")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("camelCase") {
                    options.camel = true;
                    Ok(())
                } else if meta.path.is_ident("crate") {
                    options.base = meta.value()?.parse::<LitStr>()?.parse()?;
                    Ok(())
                } else {
                    Err(meta.error("expected camelCase or crate = \"…\""))
                }
            })?;
        }
        Ok(options)
    }
}

fn field_name(field: &syn::Field) -> syn::Result<Option<String>> {
    match field.attrs.iter().find(|a| a.path().is_ident("wire")) {
        Some(attr) => Ok(Some(attr.parse_args::<LitStr>()?.value())),
        None => Ok(None),
    }
}

/// `vpc_id` as `VpcId` or `vpcId`.
fn spell(field: &str, camel: bool) -> String {
    let words = field.trim_start_matches("r#").split('_');
    let mut out = String::with_capacity(field.len());
    for (i, word) in words.enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if i == 0 && camel => out.push(first),
            Some(first) => out.extend(first.to_uppercase()),
            None => continue,
        }
        out.push_str(letters.as_str());
    }
    out
}
