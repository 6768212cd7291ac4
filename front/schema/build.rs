include!("../embed.rs");

fn main() -> Result<(), Box<dyn Error>> {
    embed("../../models/cfn")
}
