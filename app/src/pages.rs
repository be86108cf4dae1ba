//! The pages: there is one.

pub mod home;
