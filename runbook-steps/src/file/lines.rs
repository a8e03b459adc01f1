//! The difference between two texts, in few lines.

use runbook_core::Diff;

/// How many lines a difference shows.
const SHOWN: usize = 20;
/// Texts of more lines are not compared line by line.
const LONGEST: usize = 2000;

/// What a content turns into, for a plan. Contents that are no text show their sizes.
pub(crate) fn differ(old: Option<&[u8]>, new: &[u8]) -> Diff {
    let text = |content| std::str::from_utf8(content).ok().filter(|text: &&str| text.lines().count() <= LONGEST);
    match (text(old.unwrap_or_default()), text(new)) {
        (Some(old), Some(new)) => shown(&compare(old, new)),
        _ => Diff::turn("size in bytes", old.map_or(0, <[u8]>::len), new.len()),
    }
}

/// A line that goes or comes.
enum Line<'a> {
    Old(&'a str),
    New(&'a str),
}

fn shown(lines: &[Line<'_>]) -> Diff {
    let diff = lines.iter().take(SHOWN).fold(Diff::none(), |diff, line| match line {
        Line::Old(line) => diff.and_remove(*line),
        Line::New(line) => diff.and_add(*line),
    });
    match lines.len().saturating_sub(SHOWN) {
        0 => diff,
        more => diff.and_note(format!("and {more} more lines")),
    }
}

/// The lines that differ, by the longest common subsequence.
fn compare<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: how many lines old[i..] and new[j..] have in common.
    let mut common = vec![vec![0_u16; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::differ;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        for (old, new, diff) in [
            ("a\nb\nc\n", "a\nB\nc\n", "- b\n+ B"),
            ("", "a\nb\n", "+ a\n+ b"),
            ("a\nb\nc\nd\n", "b\nc\ne\n", "- a\n- d\n+ e"),
            ("same\n", "same\n", ""),
        ] {
            assert_eq!(differ(Some(old.as_bytes()), new.as_bytes()).to_string(), diff);
        }
    }

    #[test]
    fn a_long_difference_is_cut_and_says_so() {
        let long: String = ["line\n"; 30].concat();
        let diff = differ(None, long.as_bytes()).to_string();
        assert_eq!(diff.lines().count(), 21);
        assert!(diff.ends_with("and 10 more lines"));
        assert_eq!(differ(Some(&[255]), b"text").to_string(), "~ size in bytes: 1 -> 4");
    }
}
