include!("../../front/embed.rs");

fn main() -> Result<(), Box<dyn Error>> {
    embed("../../models/iam", flate2::Compression::best())
}
