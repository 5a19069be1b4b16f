//! Whole files in, settings and messages out.

mod corpus;
mod language;
mod load;
mod mistakes;
mod properties;
mod seeds;
