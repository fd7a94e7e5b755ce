"""What a bundle is: a plain tar whose first member, ``manifest.json``, lists every other one.

A member's path in the archive is ``MODEL/FILE``, as the manifest has it. Nothing else in the archive is
believed: where a file goes on a machine is decided there, by the machine's own registry.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from f2f.errors import UsageError

FORMAT = "f2f-models/1"
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20


class BundleError(UsageError):
    """A bundle is damaged, or not one."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BundledFile(_Part):
    """One file of a model."""

    name: str = Field(min_length=1, max_length=300)
    """Path inside the model, with slashes."""
    size_bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    git_sha1: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Hash that a hub's cache names the file by, where it is not the SHA-256."""
    is_blob: bool = False
    """Whether a hub's cache names the file by its SHA-256."""


class BundledModel(_Part):
    """One model."""

    name: str = Field(min_length=1, max_length=100)
    licence: str
    commercial_use: bool | None
    revision: str = ""
    """Commit of the hub's repository; empty for models from elsewhere."""
    source: str = ""
    files: tuple[BundledFile, ...] = Field(min_length=1, max_length=1000)


class BundleManifest(_Part):
    """Content of ``manifest.json``."""

    format: str
    made_by: str
    models: tuple[BundledModel, ...] = Field(min_length=1, max_length=1000)

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for model in self.models for file in model.files)


def member_name(model: BundledModel, file: BundledFile) -> str:
    """Return the path in the archive."""
    return f"{model.name}/{file.name}"
