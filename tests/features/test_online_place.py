"""Is the place of what is online read rightly from the environment, and does no text of it ever show a secret?"""

from __future__ import annotations

import pytest
from feast.repo_config import FeastConfigBaseModel

from features.errors import ConfigError
from features.online_place import ONLINE_VARIABLE, PASSWORD_VARIABLE, OnlinePlace, Product
from features.online_postgresql import PostgresqlOnlineStoreConfig
from features.online_redis import RedisOnlineStoreConfig


@pytest.mark.parametrize("said", [None, "", "  ", "sqlite"])
def test_without_a_word_it_is_the_file_of_the_home(said: str | None) -> None:
    environment = {} if said is None else {ONLINE_VARIABLE: said}
    place = OnlinePlace.from_environment(environment)
    assert (place.product, place.address, place.shown()) == (Product.SQLITE, None, "SQLite")


@pytest.mark.parametrize(
    ("said", "product", "shown"),
    [
        ("redis://h:6380/2", Product.REDIS, "redis://h:6380/2"),
        ("redis://h", Product.REDIS, "redis://h"),
        ("rediss://me:secret@h:6380/0", Product.REDIS, "rediss://h:6380/0"),
        ("postgresql://me:secret@h:5433/d?sslmode=require", Product.POSTGRESQL, "postgresql://h:5433/d"),
        ("postgres://me@h/d", Product.POSTGRESQL, "postgres://h/d"),
        ("postgresql:///d?host=/run/postgresql&password=secret", Product.POSTGRESQL, "postgresql:///d"),
    ],
)
def test_an_address_names_its_product_and_shows_no_secret(said: str, product: Product, shown: str) -> None:
    place = OnlinePlace.from_environment({ONLINE_VARIABLE: said})
    assert (place.product, place.shown()) == (product, shown)
    assert place.address is not None
    assert place.address.get_secret_value() == said
    assert not [word for word in ("secret", "me:") if word in f"{place!r} {place} {place.model_dump_json()}"]


def test_a_password_of_its_own_is_put_in_with_every_odd_sign() -> None:
    odd = "p@ss:w/rd?#%"
    place = OnlinePlace.from_environment({ONLINE_VARIABLE: "redis://h:1/0", PASSWORD_VARIABLE: odd})
    assert place.address is not None
    assert place.address.get_secret_value() == "redis://:p%40ss%3Aw%2Frd%3F%23%25@h:1/0"
    assert place.shown() == "redis://h:1/0"


@pytest.mark.parametrize(
    "said",
    [
        "mysql://me:secret@h/d",
        "redis:secret",
        "redis:///1",
        "redis://me:secret@h:port/1",
        "redis://me:secret@h:1/cache",
        "postgresql://me:secret@h:5432",
        "secret",
    ],
)
def test_any_other_text_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        OnlinePlace.from_environment({ONLINE_VARIABLE: said})
    told = f"{refused.value} {refused.value.facts()} {refused.value.__cause__!r}"
    assert ONLINE_VARIABLE in told
    assert not [word for word in ("secret", "mysql", "cache") if word in told]


@pytest.mark.parametrize("kind", [RedisOnlineStoreConfig, PostgresqlOnlineStoreConfig])
def test_the_settings_that_feast_is_given_show_no_secret(kind: type[FeastConfigBaseModel]) -> None:
    config = kind(address="redis://me:secret@h/1")
    assert "secret" not in f"{config!r} {config} {config.model_dump_json()}"
