//! Every command of the documents, and whether the procedures of our examples do what it does.
//!
//! `coverage/NAME/commands.tsv` has the commands of a document, each with the procedure it stands in and what it does.
//! `coverage/NAME/covered.tsv` says by what that is done here, for each thing done, or for a single row: the kind of a step
//! or a check, or of an item of an outline, and words that have to be in it; `coverage/compose.tsv` says it for the
//! documents that deploy with compose. The outlines are those the built programs print.

mod document;
mod told;

mod cleaning;
mod marb;
mod sbf;
mod sentinal;

use self::document::{Document, Names};
use self::told::{Outlines, Told};
