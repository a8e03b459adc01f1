//! The laws every step keeps.

use std::fmt;

/// The laws every step keeps, and procedures with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Law {
    /// `survey` changes nothing.
    SurveyChangesNothing,
    /// After `apply`, `survey` answers `Already`, unless the step repeats.
    Converges,
    /// `survey` answers `Already` only when there is nothing left to do.
    AlreadyIsTrue,
    /// `apply` twice is `apply` once.
    ApplyTwice,
    /// `apply` can be called again after it was cut off.
    ApplyAgain,
    /// `rollback` puts back what was there, whether `apply` finished, half finished or never began.
    RollbackPutsBack,
    /// `rollback` twice is `rollback` once.
    RollbackTwice,
    /// An undo that failed is made good when the run is resumed.
    UndoIsMadeGood,
    /// What reads what earlier steps wrote comes back in `settle`.
    Settles,
    /// The output carries evidence of the change.
    Evidence,
    /// `describe` names all that the step writes.
    DeclaresWrites,
    /// `describe` follows from the step's own fields alone.
    DescribesItself,
    /// The before-state survives the journal.
    BeforeSurvives,
    /// The run comes to its end by itself, or after one resume.
    Ends,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SurveyChangesNothing => "`survey` changes nothing",
            Self::Converges => "after `apply`, `survey` answers `Already`, unless the step says that it repeats",
            Self::AlreadyIsTrue => "`survey` answers `Already` only when there is nothing left to do",
            Self::ApplyTwice => "`apply` twice is `apply` once",
            Self::ApplyAgain => "`apply` can be called again after it was cut off",
            Self::RollbackPutsBack => {
                "`rollback` puts back what was there, whether `apply` finished, half finished or never began"
            }
            Self::RollbackTwice => "`rollback` twice is `rollback` once",
            Self::UndoIsMadeGood => "an undo that failed is made good when the run is resumed",
            Self::Settles => "a step that reads what earlier steps wrote comes back in `settle`",
            Self::Evidence => "the output carries evidence of the change",
            Self::DeclaresWrites => "`describe` names all that the step writes",
            Self::DescribesItself => "`describe` follows from the step's own fields alone",
            Self::BeforeSurvives => "the before-state survives the journal",
            Self::Ends => "the run comes to an end",
        })
    }
}
