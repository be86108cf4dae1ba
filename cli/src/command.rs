//! One file per subcommand; each has its `Arguments` and its `run`.

pub(crate) mod audit;
pub(crate) mod basemap_command;
pub(crate) mod bridge_command;
pub(crate) mod broker;
pub(crate) mod cluster_command;
pub(crate) mod completions;
pub(crate) mod debug;
pub(crate) mod doctor;
pub(crate) mod migrate;
pub(crate) mod prepare;
pub(crate) mod produce;
pub(crate) mod rejected;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod sink_command;
pub(crate) mod smartmodule;
pub(crate) mod status;
pub(crate) mod up;
