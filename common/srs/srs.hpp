// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

// The Sender Rewriting Scheme: what a forwarder writes for the reverse-path, so that SPF passes at the next server, and
// by which a report finds its way back. "SRS0=HASH=DAY=b.test=ann@a.test" for ann@b.test, forwarded by a.test;
// "SRS1=HASH=c.test==…@a.test" for what c.test had rewritten already, so that addresses do not grow with each server.
// Nothing is stored but the secret. As in the scheme's paper (Meng Weng Wong, 2004), DAY is 10 bits in base 32 and what
// comes back may have had its letters folded; the hash is HMAC-SHA256, of which 30 bits are kept.
namespace gk::srs {

// "SRS0" or "SRS1" and one of "=+-": an address that some forwarder made.
bool is_rewritten(std::string_view local_part) noexcept;

// REVERSE_PATH, as mail that DOMAIN forwards bears it. SECRET signs.
std::string rewrite(std::string_view reverse_path, std::string_view domain, std::string_view secret, TimePoint now);
// The address that LOCAL_PART stands for. BadInput where it is no such address, Denied where no secret of SECRETS made
// it or it is older than MAX_AGE_S (of an SRS1, which carries another's day, only the former).
Result<std::string> restore(std::string_view local_part, const std::vector<std::string>& secrets,
                            std::int64_t max_age_s, TimePoint now);

// DIRECTORY/secrets: a line each, "2026-12-01T10:00:00Z HEX", the newest first, which signs; all of them restore.
// Durable; readers see a change at once. Thread-safe.
class Secrets {
public:
    explicit Secrets(std::string directory) : directory_(std::move(directory)) {}
    // Makes directory and first secret where they are missing; whoever comes first wins.
    Status create_missing(TimePoint now) const;
    // A new one in front; those replaced more than KEEP_S ago go.
    Status rotate(std::int64_t keep_s, TimePoint now) const;
    // Not empty.
    Result<std::vector<std::string>> read() const;
    struct Entry {
        std::string secret;
        std::int64_t created_s = 0;
    };
    Result<std::vector<Entry>> entries() const;
    std::string path() const { return directory_ + "/secrets"; }

private:
    std::string directory_;
    mutable std::mutex mutex_;  // guards what was read, and the time of its file
    mutable std::vector<std::string> known_;
    mutable std::int64_t known_mtime_ns_ = -1, known_inode_ = -1;
};

// The text of such a file.
Result<std::vector<Secrets::Entry>> parse_secrets(std::string_view text);

}  // namespace gk::srs
