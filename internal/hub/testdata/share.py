"""What huggingface_hub makes of a cache: share.py (scan|local|fetch|lock) REPOSITORY [FILE...].

scan: the cache as scan_cache_dir sees it; local: the snapshot, found without network, with each FILE;
fetch: the snapshot with FILEs, downloaded where they are missing; lock: whether the lock FILE can be had, which is
held until standard input ends. One JSON object is printed.
"""

import json
import sys

from filelock import Timeout
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
from huggingface_hub.utils import WeakFileLock

mode, repository, files = sys.argv[1], sys.argv[2], sys.argv[3:]
if mode == "scan":
    cache = scan_cache_dir()
    (repo,) = [r for r in cache.repos if r.repo_id == repository]
    (revision,) = repo.revisions
    print(json.dumps({
        "warnings": [str(w) for w in cache.warnings],
        "incomplete": sorted(f.file_path.name for f in cache.incomplete_files),
        "commit": revision.commit_hash,
        "refs": sorted(revision.refs),
        "files": sorted(str(f.file_path.relative_to(revision.snapshot_path)) for f in revision.files),
        "bytes": repo.size_on_disk,
    }))
elif mode == "local":
    path = snapshot_download(repository, local_files_only=True)
    found = [hf_hub_download(repository, f, local_files_only=True) for f in files]
    print(json.dumps({"path": path, "files": found}))
elif mode == "lock":
    try:
        with WeakFileLock(files[0], timeout=0.2):
            print(json.dumps({"held": True}), flush=True)
            sys.stdin.read()
    except Timeout:
        print(json.dumps({"held": False}))
else:
    print(json.dumps({"path": snapshot_download(repository, allow_patterns=files)}))
