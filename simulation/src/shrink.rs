//! The shortest history that still breaks the law: steps are taken out, as long as it stays broken.

use crate::laws::Violation;
use crate::plan::Plan;
use crate::run;

/// Takes out halves of the steps, then quarters, down to single ones, until none can go.
pub(crate) fn shortest(mut plan: Plan, violation: &Violation) -> Plan {
    let breaks = |plan: &Plan| run::outcome(plan).is_err_and(|found| found.law == violation.law);
    let mut size = plan.steps.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        let mut has_shrunk = false;
        while start < plan.steps.len() {
            let end = (start + size).min(plan.steps.len());
            let mut less = plan.clone();
            less.steps.drain(start..end);
            if breaks(&less) {
                plan = less;
                has_shrunk = true;
            } else {
                start = end;
            }
        }
        if !(has_shrunk && size == 1) {
            size /= 2;
        }
    }
    plan
}
