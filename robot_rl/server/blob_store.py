"""Where the blobs are: in the data folder, or in the bucket that BLOB_URL names."""

from pathlib import Path

from robot_rl.server.blobs import BlobStore, FolderBlobs
from robot_rl.server.settings import ServerSettings


def open_blobs(settings: ServerSettings) -> BlobStore:
    """Raises ServerProblem when a bucket cannot be used."""
    return blobs_at(settings.blob_folder, settings.blob_url)


def blobs_at(folder: Path, url: str | None) -> BlobStore:
    """In the bucket where there is a `url`. Raises ServerProblem."""
    if url is None:
        return FolderBlobs(folder)
    from robot_rl.server.bucket_blobs import BucketBlobs  # obstore, only where it is used

    return BucketBlobs(url)
