//! Values that were never filled in.

/// Words that are placeholders by themselves.
const WHOLE: [&str; 9] = ["changeit", "dummy", "example", "fixme", "password", "placeholder", "secret", "tbd", "todo"];
/// Words that make a placeholder of whatever they stand in.
const WITHIN: [&str; 16] = [
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "change-this",
    "change_this",
    "replaceme",
    "replace-me",
    "replace_me",
    "your-",
    "your_",
    "yourdomain",
    "insert-",
    "insert_",
    "xxxx",
    "example.",
];

/// Whether a value looks like one that someone was meant to replace.
pub(super) fn is_placeholder(value: &str) -> bool {
    let value = value.trim().to_lowercase();
    WHOLE.contains(&value.as_str())
        || WITHIN.iter().any(|word| value.contains(word))
        || value.ends_with("...")
        || (value.len() >= 3 && value.chars().all(|c| c == 'x'))
        || in_angle_brackets(&value)
}

/// Whether it holds something like `<token>`.
fn in_angle_brackets(value: &str) -> bool {
    let name = |text: &str| {
        !text.is_empty() && text == text.trim() && text.chars().all(|c| c.is_alphanumeric() || "_- .".contains(c))
    };
    let inside = |rest: &str| rest.split_once('>').is_some_and(|(inside, _)| name(inside));
    value.split('<').skip(1).any(inside)
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn placeholders_are_told_from_values() {
        for value in [
            "changeme",
            "CHANGE_ME",
            "please-change-me-now",
            "your-secret-key",
            "postgres://your_user@db",
            "<token>",
            "https://<your host>/",
            "xxx",
            "sk-xxxxxxxx",
            "sk-...",
            "admin@example.com",
            "example",
            "TODO",
            "password",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "",
            "production",
            "true",
            "8000",
            "xx",
            "k3J9vX2pQ8",
            "postgresql://app:s3cr3tpass@db/app",
            "a < b > c?",
            "INFO",
            "https://app.internal/path",
            "<>",
            "secret-of-mana",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
