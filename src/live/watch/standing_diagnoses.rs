//! Which diagnoses stand from one boundary to the next, so that only changes are told.

use std::collections::BTreeMap;

use crate::live::facts::{Millis, TargetId};
use crate::live::outcome::{ChangeKind, Diagnosis, DiagnosisChange};

/// Boundaries in a row at which a diagnosis must be absent before it counts as gone: one that
/// stands at its threshold would come and go all the time.
const ABSENT: u8 = 2;

/// The diagnoses of one target by id, with the boundaries at which each was absent last.
#[derive(Debug, Default)]
pub(super) struct StandingDiagnoses(BTreeMap<String, (Diagnosis, u8)>);

impl StandingDiagnoses {
    /// Those that stand.
    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnosis> {
        self.0.values().map(|(diagnosis, _)| diagnosis)
    }

    /// Takes in what holds at a boundary; tells what appeared, changed its severity, or went away.
    pub(super) fn update(
        &mut self,
        at: Millis,
        target: TargetId,
        present: Vec<Diagnosis>,
        changes: &mut Vec<DiagnosisChange>,
    ) {
        let mut tell = |what, diagnosis: &Diagnosis| {
            changes.push(DiagnosisChange { at, target, what, diagnosis: diagnosis.clone() });
        };
        for (_, absent) in self.0.values_mut() {
            *absent += 1;
        }
        for diagnosis in present {
            let before = self.0.get(&diagnosis.id).map(|(before, _)| before.severity);
            if before.is_none() {
                tell(ChangeKind::Opened, &diagnosis);
            } else if before != Some(diagnosis.severity) {
                tell(ChangeKind::Changed, &diagnosis);
            }
            self.0.insert(diagnosis.id.clone(), (diagnosis, 0));
        }
        self.0.retain(|_, (diagnosis, absent)| {
            if *absent >= ABSENT {
                tell(ChangeKind::Cleared, diagnosis);
            }
            *absent < ABSENT
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn only_changes_are_told_and_one_absence_is_none() {
        let mut standing = StandingDiagnoses::default();
        let one = |severity| Diagnosis::new("fds-at-limit", severity, String::new(), Vec::new());
        let mut told = Vec::new();
        for (at, severity) in [
            (0, Some(Severity::Warning)),
            (1, Some(Severity::Warning)),
            (2, None),
            (3, Some(Severity::Error)),
            (4, None),
            (5, None),
            (6, None),
        ] {
            let present = severity.map(one).into_iter().collect();
            standing.update(at, TargetId(0), present, &mut told);
        }
        let told: Vec<_> = told.iter().map(|change| (change.at, change.what)).collect();
        assert_eq!(
            told,
            [(0, ChangeKind::Opened), (3, ChangeKind::Changed), (5, ChangeKind::Cleared)]
        );
    }
}
