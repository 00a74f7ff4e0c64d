//! Takes GitHub's webhooks. What they say is not believed: a signed delivery that was not seen before only rings, and
//! whoever hears it asks the API.

mod check;
mod deliveries;
mod serve;

pub use check::WebhookSecret;
pub use serve::Webhooks;
