//! What a procedure needs.

pub use crate::steps::sizes::Sizes;
pub use crate::{
    AtOnce, Book, Check, CheckExt, Command, Context, Description, Diff, Error, Evidence, Explain, Finding, Host, Input,
    NoInput, Reaction, Record, Resource, Result, Retry, Rollback, Run, Secret, Step, Survey, Trigger, Units, Window,
    async_trait, bail, check, cmd, ensure, part, parts, procedure, procedures, step,
};
