//! Small drawings of 20 by 20 units, as paths that are stroked.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    Users,
    Globe,
    Cdn,
    Gateway,
    Nat,
    Balancer,
    Container,
    Database,
    Standby,
    Bucket,
    Repository,
    Lock,
    Endpoint,
    Down,
    Up,
    Across,
}

impl Glyph {
    pub fn path(self) -> &'static str {
        match self {
            Glyph::Users => "M10 9a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 19c0-5 3.5-7.5 8-7.5s8 2.5 8 7.5z",
            Glyph::Globe => {
                "M10 1a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM1 10h18M10 1c-5.5 5-5.5 13 0 18M10 1c5.5 5 5.5 13 0 18"
            }
            Glyph::Cdn => {
                "M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 1v6M10 13v6M1.5 5.5l6 3M12.5 11.5l6 3M18.5 5.5l-6 3M7.5 11.5l-6 3"
            }
            Glyph::Gateway => {
                "M1 6V3a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v3M1 14v3a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-3M7 16V5M4 8l3-3 3 3M13 4v11M10 12l3 3 3-3"
            }
            Glyph::Nat => "M2 2h9v16H2zM6 10h13M15 6l4 4-4 4",
            Glyph::Balancer => {
                "M4 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM6.5 10H16M6 8.5L16 3M6 11.5L16 17M16 1.5h3v3h-3zM16 8.5h3v3h-3zM16 15.5h3v3h-3z"
            }
            Glyph::Container => "M1 5l9-4 9 4v10l-9 4-9-4zM1 5l9 4 9-4M10 9v10",
            Glyph::Database => {
                "M2 4.5C2 2.5 5.6 1 10 1s8 1.5 8 3.5v11c0 2-3.6 3.5-8 3.5s-8-1.5-8-3.5zM2 4.5C2 6.5 5.6 8 10 8s8-1.5 8-3.5M2 10c0 2 3.6 3.5 8 3.5s8-1.5 8-3.5"
            }
            Glyph::Standby => {
                "M2 4.5C2 2.5 5.6 1 10 1s8 1.5 8 3.5v11c0 2-3.6 3.5-8 3.5s-8-1.5-8-3.5zM2 4.5C2 6.5 5.6 8 10 8s8-1.5 8-3.5M7 12.5h6M10.5 10l2.5 2.5-2.5 2.5"
            }
            Glyph::Bucket => "M1.5 3h17L16 17.5a2 2 0 0 1-2 1.5H6a2 2 0 0 1-2-1.5zM2.5 8h15",
            Glyph::Repository => "M10 1l9 4.5-9 4.5-9-4.5zM1 10l9 4.5 9-4.5M1 14.5L10 19l9-4.5",
            Glyph::Lock => "M3 9h14v10H3zM6 9V6a4 4 0 0 1 8 0v3M10 13v3",
            Glyph::Endpoint => {
                "M10 4a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM10 8.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM0 10h4M16 10h4"
            }
            Glyph::Down => "M10 1v17M3 11l7 7 7-7",
            Glyph::Up => "M10 19V2M3 9l7-7 7 7",
            Glyph::Across => "M1 10h17M11 3l7 7-7 7",
        }
    }
}
