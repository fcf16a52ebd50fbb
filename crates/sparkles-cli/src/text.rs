//! Plain text for people: tables, bars, numbers. Reads without colour.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// The widest that a cell of free text gets.
const CELL: usize = 60;
/// Width of a full bar.
const BAR: usize = 30;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table with a header, indented by two spaces.
pub(crate) fn table(header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| clean(cell)).collect())
        .collect();
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(column, (name, _))| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
                .max(name.width())
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for ((cell, width), (_, align)) in cells.zip(&widths).zip(header) {
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Left => out.extend(["  ", cell, &pad]),
                Align::Right => out.extend(["  ", &pad, cell]),
            }
        }
        text.push_str(out.trim_end());
        text.push('\n');
    };
    line(&mut header.iter().map(|(name, _)| *name));
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Text of somebody else's on one line of limited width; control characters and
/// marks that turn the direction of text become `?`.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for character in text.chars() {
        let unsafe_mark = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let character = if unsafe_mark { '?' } else { character };
        width += unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
        if width > CELL {
            out.push('…');
            break;
        }
        out.push(character);
    }
    out
}

/// A location on one line; where it is too long, its end is what tells.
pub(crate) fn location(text: &str) -> String {
    let count = text.chars().count();
    if count <= CELL {
        return clean(text);
    }
    let tail: String = text.chars().skip(count - CELL + 1).collect();
    clean(&format!("…{tail}"))
}

/// A bar of blocks, eighths included, as long as `value` is of `most`.
pub(crate) fn bar(value: u64, most: u64) -> String {
    if most == 0 {
        return String::new();
    }
    let eighths = (u128::from(value) * BAR as u128 * 8).div_ceil(u128::from(most));
    let eighths = usize::try_from(eighths).unwrap_or(BAR * 8).min(BAR * 8);
    let mut out = "█".repeat(eighths / 8);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    out.push_str(rest.get(eighths % 8).copied().unwrap_or_default());
    out
}

/// A number with thin groups of thousands: `41 620`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 photo`, `2 photos`, `3 classes`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A share as per cent with one digit.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Seconds as people say them: `0.8 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    if seconds < 60.0 {
        return format!("{seconds:.0} s");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of seconds, and `as` saturates"
    )]
    let whole = seconds.round() as u64;
    if whole < 3600 {
        return format!("{} min {} s", whole / 60, whole % 60);
    }
    format!("{} h {} min", whole / 3600, whole % 3600 / 60)
}

/// Pairs of a name and a number, with bars.
pub(crate) fn bars<'a>(
    what: (&str, &str),
    pairs: impl IntoIterator<Item = (&'a str, u64)>,
) -> String {
    let pairs: Vec<(&str, u64)> = pairs.into_iter().collect();
    let most = pairs.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = pairs
        .iter()
        .map(|(name, number)| vec![(*name).to_owned(), count(*number), bar(*number, most)])
        .collect();
    table(
        &[
            (what.0, Align::Left),
            (what.1, Align::Right),
            ("", Align::Left),
        ],
        &rows,
    )
}

/// A heading with what stands below it.
pub(crate) fn section(out: &mut String, heading: &str, body: &str) {
    let _ = write!(out, "\n{heading}\n{body}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (41_620, "41 620"),
            (1_000_000, "1 000 000"),
        ] {
            assert_eq!(count(number), text);
        }
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (12.3, "12 s"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(counted(1, "photo", "photos"), "1 photo");
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c"), "a?b?[31m?c");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), CELL + 1);
        assert!(location(&format!("/{}/name.jpg", "d".repeat(200))).ends_with("/name.jpg"));
    }

    #[test]
    fn bars_are_as_long_as_they_should_be() {
        assert_eq!(bar(10, 10).chars().count(), BAR);
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(u64::MAX, 1).chars().count(), BAR);
    }

    #[test]
    fn tables_line_up() {
        let text = table(
            &[("name", Align::Left), ("n", Align::Right)],
            &[
                vec!["日本".into(), "1".into()],
                vec!["a".into(), "100".into()],
            ],
        );
        assert_eq!(text, "  name    n\n  日本    1\n  a     100\n");
    }
}
