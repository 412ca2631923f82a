//! The form in which flavours are compared. The database cannot compute it, so
//! it is kept beside those spellings whose lower case is another.

use pizza_domain::Flavour;
use sqlx::AnyConnection;

use super::StoreError;

/// The version of the schema that brought the table.
pub(super) const SINCE: i64 = 6;

/// Takes note of how a flavour is spelled, inside the caller's transaction.
pub(super) async fn note(
    connection: &mut AnyConnection,
    flavour: &Flavour,
) -> Result<(), StoreError> {
    let folded = flavour.folded();
    if lower_case(flavour) == folded {
        return Ok(());
    }
    sqlx::query("INSERT INTO flavours (flavour, folded) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(flavour.as_str().to_owned())
        .bind(folded)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes note of how the flavours of all orders are spelled: those that were
/// written before anybody did, by processes of a version before.
pub(super) async fn note_all(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let all: Vec<String> = sqlx::query_scalar("SELECT DISTINCT flavour FROM orders")
        .fetch_all(&mut *connection)
        .await?;
    for flavour in all {
        note(connection, &Flavour::kept(flavour)?).await?;
    }
    Ok(())
}

/// What `LOWER` makes of a flavour: on both engines, of the letters from A to Z
/// alone.
pub(super) fn lower_case(flavour: &Flavour) -> String {
    flavour.as_str().to_ascii_lowercase()
}
