# SPDX-License-Identifier: MIT
"""Where the mail of a benchmark lies: a directory on the plain disk, or an ext4 image with a journal behind a loop device."""
import os
import subprocess
import tempfile


class Plain:
    name = "plain"

    def __init__(self, parent):
        self.path = tempfile.mkdtemp(prefix="gk-bench-", dir=parent)
        os.chmod(self.path, 0o755)
        # Without a journal ext4 looks for a free inode past all that were deleted in the last minutes in its block group:
        # with this flag each server's directory gets a group of its own, and pays for its own deletions alone.
        subprocess.run(["chattr", "+T", self.path], check=False, stderr=subprocess.DEVNULL)

    def close(self):
        pass


class Journal:
    """ext4 with its default journal, direct I/O to the image, so that a flush reaches the disk below."""

    name = "journal"

    def __init__(self, parent, gigabytes=6):
        self.directory = tempfile.mkdtemp(prefix="gk-bench-journal-", dir=parent)
        self.path = f"{self.directory}/mnt"
        os.chmod(self.directory, 0o755)
        os.mkdir(self.path)
        image = f"{self.directory}/image"
        with open(image, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, gigabytes << 30)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
        self.loop = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", image], check=True, capture_output=True, text=True).stdout.strip()
        try:
            subprocess.run(["mount", self.loop, self.path], check=True)
        except subprocess.CalledProcessError:
            subprocess.run(["losetup", "-d", self.loop], check=False)
            raise
        os.chmod(self.path, 0o755)

    def close(self):
        subprocess.run(["umount", self.path], check=True)
        subprocess.run(["losetup", "-d", self.loop], check=True)
