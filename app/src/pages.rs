//! The pages: there is one.

pub(crate) mod home;
