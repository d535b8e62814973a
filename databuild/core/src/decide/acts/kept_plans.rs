//! Whether plans that are kept still hold: worked out when somebody asks, and kept until something differs that it follows from.
//!
//! Invariant: what is kept equals what would be worked out anew. `simulation` (`kept_plans_are_told_as_they_are`).

use crate::decide::acts::plan::outdated;
use crate::event::PlanCreated;
use crate::ids::PlanId;
use crate::state::{Basis, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known of plans. Shared by all who ask.
#[derive(Debug, Default)]
pub struct KeptPlans(Mutex<BTreeMap<PlanId, Arc<Known>>>);

#[derive(Debug)]
struct Known {
    changes: Arc<[String]>,
    follows_from: Basis,
}

impl KeptPlans {
    /// What keeps a plan of the state from being applied, as [`outdated`] tells it.
    #[must_use]
    pub fn changes(&self, state: &State, plan: &PlanCreated) -> Arc<[String]> {
        let known = self.known().get(&plan.plan).cloned();
        if let Some(known) = known.filter(|known| known.follows_from.is_in(state)) {
            return Arc::clone(&known.changes);
        }
        // Whoever asks for another one, or for this one of another state, does not wait for it.
        let (changes, follows_from) = outdated(state, plan);
        let changes: Arc<[String]> = changes.into();
        let known = Known { changes: Arc::clone(&changes), follows_from };
        let mut all = self.known();
        all.insert(plan.plan, Arc::new(known));
        all.retain(|id, _| state.plans().contains_key(id));
        changes
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<PlanId, Arc<Known>>> {
        // Who panicked while holding it has changed nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
