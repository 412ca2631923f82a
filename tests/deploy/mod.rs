//! What `docker-compose.yml` promises, held against its schema, the binary
//! and the scripts beside it. No container is started here.

mod compose;
mod schema;
mod secrets;
