//! The time of day of what happened: worked out of when the watch began, so that no clock is read.

use jiff::Timestamp;

use super::facts::Millis;

/// The second of an event, as RFC 3339; `None`: it is not known when the watch began.
pub fn second(wall_start_ms: Option<i64>, at: Millis) -> Option<String> {
    let ms = wall_start_ms?.checked_add(at)?;
    Timestamp::from_second(ms.div_euclid(1000)).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_told_where_the_beginning_is_known() {
        let told = second(Some(1_700_000_000_000), 4_800);
        assert_eq!(told.as_deref(), Some("2023-11-14T22:13:24Z"));
        assert_eq!(second(None, 0), None);
        assert_eq!(second(Some(i64::MAX), 1), None);
    }
}
