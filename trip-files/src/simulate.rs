//! A city that does not exist: trips without a file, the same for the same parameters.
//!
//! Stations are real names and places; riders, bikes and trips are made up, but not at random:
//! people ride to work and home again, less at night and on weekends, rather near than far, and
//! vans bring bikes to where they are missing. A bike is never in two places.
//!
//! Everything is worked out with integers and the four operations, whose results are the same on
//! every machine, from one generator of random numbers: the same seed gives the same bytes.
//! Trips are made one at a time, in order of departure, in bounded memory.

mod choice;
mod city;
mod config;
mod csv;
mod csv_row;
mod demand;
mod dirt;
mod fleet;
mod map;
mod random;
mod ride;

pub(crate) use self::city::City;
pub use self::config::{SimulateConfig, SimulateError};
pub use self::csv::{WriteCsvError, write_csv};
