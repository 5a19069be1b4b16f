//! Whole files in, settings and messages out.

pub(crate) mod canonical;
mod corpus;
mod language;
mod load;
mod mistakes;
mod properties;
mod secrets;
mod seeds;
