//! Values with parameters, as `multipart/form-data; boundary=x`: `Content-Type` and `Content-Disposition`.

use super::FormError;

/// A value in lower case and its parameters, names in lower case, in order.
///
/// # Errors
/// When it cannot be read, or names a parameter twice: two readers might each believe another one.
pub(super) fn split(text: &str) -> Result<(String, Vec<(String, String)>), FormError> {
    let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
    let mut parameters: Vec<(String, String)> = Vec::new();
    while !rest.trim_matches([' ', '\t', ';']).is_empty() {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, after) = rest.split_once('=').ok_or(FormError::Malformed("a parameter has no value"))?;
        let name = name.trim().to_ascii_lowercase();
        let (value, after) = match after.trim_start_matches([' ', '\t']).strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.is_empty() || parameters.iter().any(|(known, _)| *known == name) {
            return Err(FormError::Malformed("a parameter is there twice or has no name"));
        }
        parameters.push((name, value));
        rest = after;
    }
    Ok((value.trim().to_ascii_lowercase(), parameters))
}

/// The text up to the closing quote, and what follows. Only `\"` and `\\` are escapes: browsers send `C:\dir` as it is.
fn unquote(quoted: &str) -> Result<(String, &str), FormError> {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next_if(|(_, next)| matches!(next, '"' | '\\')).map_or('\\', |(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(FormError::Malformed("a quote does not end"))
}

/// The parameter `name`.
pub(super) fn find<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_read() {
        let (value, parameters) = split(r#"Form-Data; NAME="a;b"; filename="q\"uo\te\\.txt" ; x = y"#).expect("reads");
        assert_eq!(value, "form-data");
        assert_eq!(find(&parameters, "name"), Some("a;b"));
        assert_eq!(find(&parameters, "filename"), Some(r#"q"uo\te\.txt"#));
        assert_eq!(find(&parameters, "x"), Some("y"));
        assert_eq!(split("text/plain;").expect("reads"), ("text/plain".to_owned(), Vec::new()));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bad in ["a; boundary=x; Boundary=y", "a; x", "a; =y", "a; x=\"y", "a; x=\"y\\\""] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
