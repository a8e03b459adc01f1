//! What the queries of a panel came to.

use serde_json::Value;

/// What a panel shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// So many values.
    Values(usize),
    /// Nothing.
    Nothing,
    /// The words of an error.
    Error(String),
}

/// Out of the answer of `POST /api/ds/query`: frames of columns, of which those that are not times hold the values. A
/// value that is no number is `null` there.
pub(super) fn shown(answer: &Value) -> Option<Shown> {
    let results = answer["results"].as_object()?;
    let error = results.values().find_map(|result| result["error"].as_str());
    if let Some(words) = error {
        return Some(Shown::Error(words.to_owned()));
    }
    let frames = results.values().flat_map(|result| result["frames"].as_array().into_iter().flatten());
    let count = frames.map(values).sum();
    Some(if count == 0 { Shown::Nothing } else { Shown::Values(count) })
}

fn values(frame: &Value) -> usize {
    let kinds = frame["schema"]["fields"].as_array().into_iter().flatten();
    let columns = frame["data"]["values"].as_array().into_iter().flatten();
    let counted = kinds.zip(columns).filter(|(field, _)| field["type"] != "time");
    counted.map(|(_, column)| column.as_array().map_or(0, |all| all.iter().filter(|one| !one.is_null()).count())).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_is_no_time_and_not_null() {
        let frame = |values: Value| {
            let fields = json!([{"name": "Time", "type": "time"}, {"name": "Value", "type": "number"}]);
            json!({"results": {"A": {"status": 200, "frames": [{"schema": {"fields": fields}, "data": {"values": values}}]}}})
        };
        assert_eq!(shown(&frame(json!([[1, 2, 3], [0.5, null, 1]]))), Some(Shown::Values(2)));
        assert_eq!(shown(&frame(json!([[1, 2], [null, null]]))), Some(Shown::Nothing));
        assert_eq!(shown(&frame(json!([[], []]))), Some(Shown::Nothing));
        assert_eq!(shown(&json!({"results": {"A": {"frames": []}}})), Some(Shown::Nothing));
        let error = json!({"results": {"A": {"error": "bad_data", "status": 400}}});
        assert_eq!(shown(&error), Some(Shown::Error("bad_data".to_owned())));
        assert_eq!(shown(&json!({"message": "Unauthorized"})), None);
    }
}
