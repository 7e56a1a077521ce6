//! The text of an HTML mail, with its images named.

use mail_parser::decoders::html::html_to_text;

/// Longest HTML that is read.
const MAX_HTML: usize = 512 * 1024;
/// Longest HTML with the images named: a short tag may name a long file.
const MAX_MARKED: usize = 2 * MAX_HTML;
/// Elements that end a line.
const BLOCKS: [&str; 13] =
    ["/div", "/tr", "/li", "/h1", "/h2", "/h3", "/h4", "/h5", "/h6", "/table", "/ul", "/ol", "/blockquote"];

/// The text of `html`. `image` knows the files that `cid:` addresses name.
pub(super) fn text(html: &str, image: impl Fn(&str) -> Option<String>) -> String {
    let html = &html[..html.floor_char_boundary(MAX_HTML)];
    let mut marked = String::with_capacity(html.len());
    let mut rest = html;
    while marked.len() < MAX_MARKED
        && let Some(start) = rest.find('<')
    {
        let Some(length) = rest[start..].find('>') else { break };
        let tag = &rest[start..=start + length];
        marked.push_str(&rest[..start]);
        let name = tag[1..].trim_end_matches('>').split([' ', '\t', '\r', '\n']).next().unwrap_or_default();
        if name.trim_end_matches('/').eq_ignore_ascii_case("img") {
            marked.push_str(&named(tag, &image));
        } else {
            marked.push_str(tag);
            if BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block)) {
                marked.push_str("<br>");
            }
        }
        rest = &rest[start + length + 1..];
    }
    marked.push_str(rest);
    without_gaps(&html_to_text(&marked))
}

/// What stands for an image: the file it shows, else what it says about itself, else nothing.
fn named(tag: &str, image: &impl Fn(&str) -> Option<String>) -> String {
    let source = attribute(tag, "src").unwrap_or_default();
    let name = match source.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("cid:")) {
        Some(_) => {
            let id = source[4..].trim();
            Some(escape(&image(id).unwrap_or_else(|| id.to_owned())))
        }
        None => attribute(tag, "alt").filter(|alt| !alt.trim().is_empty()).map(str::to_owned),
    };
    name.map(|name| format!(" [image: {name}] ")).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The value of attribute `name` in `tag`.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = from + lower[from..].find(name)?;
        from = at + name.len();
        let begins = lower[..at].ends_with([' ', '\t', '\r', '\n', '"', '\'']);
        let Some(value) = tag[from..].trim_start().strip_prefix('=').filter(|_| begins).map(str::trim_start) else {
            continue;
        };
        return match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
            _ => value.split([' ', '\t', '\r', '\n', '>']).next(),
        };
    }
}

/// At most one empty line at a time, and none around the text.
fn without_gaps(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> String {
        text(html, |id| (id == "logo@x").then(|| "logo <1>.png".to_owned()))
    }

    #[test]
    fn lines_entities_and_images_are_read() {
        assert_eq!(
            read("<html><head><title>no</title></head><body><div>Gr&uuml;&szlig;e &amp; mehr</div><p>zwei<br>drei</p>"),
            "Grüße & mehr\nzwei\ndrei"
        );
        assert_eq!(read("a<img src='CID:logo@x' alt=z>b"), "a [image: logo <1>.png] b");
        assert_eq!(read("<IMG alt=\"Our shop\" SRC=\"https://example.org/p.gif\">"), "[image: Our shop]");
        assert_eq!(
            read("<img src=\"https://example.org/pixel.gif\">text"),
            "text",
            "pixels that count readers say nothing"
        );
        assert_eq!(read("<img data-src=\"cid:logo@x\">x"), "x");
        assert_eq!(read("<img src=cid:other>"), "[image: other]");
    }

    #[test]
    fn scripts_and_styles_are_no_text() {
        assert_eq!(read("<style>p{}</style><script>alert(1)</script><ul><li>one</li><li>two</li></ul>"), "one\ntwo");
    }

    #[test]
    fn broken_html_is_read_as_far_as_it_goes() {
        for broken in ["<", "<img", "<img src=", "a<b", "&#xffffffff;", "<!-- <img src=cid:x>", "<img src=\"cid:ü"] {
            let _ = read(broken);
        }
        assert_eq!(read("1 < 2"), "1 < 2".split('<').next().expect("a part").trim());
    }
}
