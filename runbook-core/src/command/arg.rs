//! What may be an argument of a command.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What [`Command::arg`](crate::Command::arg) and `{value}` in `cmd!` take: text, paths, numbers and characters, each as one argument or part of one.
///
/// A [`Secret`](crate::Secret) is none, as everyone on a machine can read the arguments of its programs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a command",
    label = "not text, a path or a number",
    note = "a secret is never an argument: give it with `.secret_env(\"NAME\", &secret)` or `.secret_input(&secret)`",
    note = "in `cmd!`, the values of a list are `{{list...}}`; anything else is its text, `{{value.to_string()}}`"
)]
pub trait CommandArg {
    /// Writes it behind what the argument is so far.
    fn append_to(&self, argument: &mut OsString);
}

/// Arguments that are text for the operating system as they are.
macro_rules! as_os_str {
    ($($ty:ty),*) => {$(
        impl CommandArg for $ty {
            fn append_to(&self, argument: &mut OsString) {
                argument.push(AsRef::<OsStr>::as_ref(self));
            }
        }
    )*};
}

/// Arguments that are written out.
macro_rules! as_text {
    ($($ty:ty),*) => {$(
        impl CommandArg for $ty {
            fn append_to(&self, argument: &mut OsString) {
                argument.push(self.to_string());
            }
        }
    )*};
}

as_os_str!(str, String, OsStr, OsString, Path, PathBuf, Cow<'_, OsStr>);
as_text!(char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64);
as_text!(std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr, std::net::SocketAddr, std::num::NonZero<u32>);

/// Arguments behind a pointer.
macro_rules! as_pointee {
    ($($ty:ty),*) => {$(
        impl<T: CommandArg + ?Sized> CommandArg for $ty {
            fn append_to(&self, argument: &mut OsString) {
                T::append_to(self, argument);
            }
        }
    )*};
}

as_pointee!(&T, &mut T, Box<T>, Arc<T>);

impl CommandArg for Cow<'_, str> {
    fn append_to(&self, argument: &mut OsString) {
        argument.push(&**self);
    }
}

impl CommandArg for Cow<'_, Path> {
    fn append_to(&self, argument: &mut OsString) {
        argument.push(&**self);
    }
}
