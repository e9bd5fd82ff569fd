//! While something is away, the log says so and stays small.

use super::*;
use crate::services::repetitions::lines::Lines;

#[test]
fn what_is_away_is_told_once_and_faults_ten_times_and_the_rest_as_numbers() {
    let failures = Failures::default();
    let lines = Lines::of(|| {
        for _ in 0..10_000 {
            failures.log_request(&Unexpected::unavailable("Postgres", "it is away"));
            failures.log_request(&Unexpected::Overloaded { what: "hashing", retry_after: PERIOD });
            failures.log_request(&Unexpected::fault("a row", "it is corrupt"));
            failures.log_not_ready(&Unexpected::unavailable("Postgres", "it is away"));
        }
        failures.finish();
        failures.finish();
    });
    assert_eq!(lines.with("a request could not be served"), 2);
    assert_eq!(lines.with("a request failed"), 10);
    assert_eq!(lines.with("not ready"), 2);
    for number in [
        "more requests could not be served what=\"Postgres\" times=9999",
        "more requests could not be served what=\"hashing\" times=9999",
        "more requests failed what=\"a row\" times=9990",
        "not ready, asked again times=9999",
    ] {
        assert_eq!(lines.with(number), 1, "{number} in {lines:?}");
    }
    assert_eq!(lines.with(""), 2 + 10 + 2 + 3);
}
