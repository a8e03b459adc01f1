//! The testing kit: unit-test procedures without infrastructure.
