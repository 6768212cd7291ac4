// For build scripts, by `include!`. The models are text with much repetition: compressed they are an eighth of it in the program.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::Write,
    path::Path,
};

/// Compresses each JSON file of `folder` into `OUT_DIR/<name>.json.z`, to be embedded by `include_bytes!`.
fn embed(folder: &str) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={folder}");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|e| e == "json")) else {
            continue;
        };
        println!("cargo::rerun-if-changed={}", path.display());
        let target = File::create(Path::new(&out).join(format!("{}.z", name.to_string_lossy())))?;
        let mut encoder = flate2::write::ZlibEncoder::new(target, flate2::Compression::best());
        encoder.write_all(&fs::read(&path)?)?;
        encoder.finish()?;
    }
    Ok(())
}
