"""The engine on the episode database."""

from robot_rl.server.database import connect
from robot_rl.server.embedded import EmbeddedPostgres


def test_a_connection_that_comes_back_after_the_end_is_closed(postgres: EmbeddedPostgres) -> None:
    """A look-up whose caller has gone is left to end by itself."""
    database = connect(postgres.url, None)
    late = database.engine.connect()
    driver = late.connection.dbapi_connection
    assert driver is not None
    database.close()
    assert not driver.closed
    late.close()
    assert driver.closed
