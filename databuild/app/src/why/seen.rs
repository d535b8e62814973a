//! What a question why is answered from, beside state and history.

use crate::audience::Audience;
use databuild_core::decide::Sightings;

/// What is known at a look, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    /// What was just seen of files.
    pub looks: &'s Sightings,
    /// Who asks: inputs that they may not see are not counted.
    pub audience: &'s Audience,
}
