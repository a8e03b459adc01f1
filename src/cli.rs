//! The command line of a book.
