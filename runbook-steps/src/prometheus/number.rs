//! Numbers for people.

use std::fmt;

/// A number, with four digits behind the point at most: `0.0312`, `1500`, `+Inf`.
pub(crate) struct Number(pub(crate) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            value if value.is_infinite() => f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" }),
            value if value != 0.0 && value.abs() < 0.0001 => write!(f, "{value:e}"),
            value => {
                let text = format!("{value:.4}");
                f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn numbers_read_well() {
        let said = [0.0, 0.031_25, 1500.0, -2.5, 0.00001, f64::NAN, f64::INFINITY].map(|n| Number(n).to_string());
        assert_eq!(said, ["0", "0.0312", "1500", "-2.5", "1e-5", "NaN", "+Inf"]);
    }
}
