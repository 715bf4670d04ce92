//! Pure judgement: cohort survival with sequential error control, count fall-back, water levels.
//!
//! A leak is not a rising count but a birth cohort that stops dying. Two keys must turn together:
//! the hazard of closing has vanished for handles past an age at which normal ones are gone
//! (survival), and the population past that age really grows (growth). Both are anytime-valid
//! e-processes, so looking on every beat costs nothing; Ville's inequality bounds each key's error.
//! Shape guards on the births then tell a leak from something that fills.

pub mod churn;
pub mod clock;
pub mod engine;
pub mod first_sample;
pub mod gauge;
pub mod rules;
pub mod scale;
pub mod together;
pub mod water;
