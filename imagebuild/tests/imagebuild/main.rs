//! Images from outside: what a Dockerfile is read as, what comes out of a build, what a registry gets.

mod building;
mod parsing;
mod pushing;
