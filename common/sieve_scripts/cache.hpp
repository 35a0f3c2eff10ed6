// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/sieve/sieve.hpp"
#include "common/sieve_scripts/store.hpp"

namespace gk::sieve_scripts {

// Included scripts: an account's own, or those in the directory GLOBAL (none where that is empty).
class FileIncludes final : public sieve::Includes {
public:
    FileIncludes(const Store& store, std::string global) : store_(store), global_(std::move(global)) {}
    std::optional<std::string> find(Place place, std::string_view name) override;
    std::string path_of(Place place, std::string_view name) const;  // empty: that can be no script

private:
    const Store& store_;
    std::string global_;
};

// What tells a changed file: where it is, its size and its times. All 0: it is not there.
using Stamp = std::array<std::uint64_t, 5>;
Stamp stamp_of(const std::string& path);

// Scripts compiled once and kept as long as neither they nor what they include changes: the MOST used last, whose text
// has MOST_BYTES together (compiled they take a multiple of that). Thread-safe.
class Cache {
public:
    Cache(std::size_t most, sieve::Limits limits, sieve::Extensions extensions, std::string global,
          std::uint64_t most_bytes = 16u << 20)
        : most_(most), most_bytes_(most_bytes), limits_(limits), extensions_(extensions), global_(std::move(global)) {}

    struct Compiled {
        std::shared_ptr<const sieve::Script> script;  // null: ERROR says why, a problem a line, "NAME:3:7: text"
        std::string error;
    };
    // The script in the file PATH, called NAME; STORE is the account's that it runs for.
    Compiled get(const std::string& path, const std::string& name, const Store& store);
    std::uint64_t compiled() const;  // how often a script was really compiled

private:
    struct Entry {
        std::string key;
        Stamp stamp{};
        std::uint64_t bytes = 0;  // of its text and of what it includes
        std::vector<std::pair<std::string, Stamp>> included;
        Compiled compiled;
    };
    void forget(std::list<Entry>::iterator entry);  // with the mutex held

    std::size_t most_;
    std::uint64_t most_bytes_, bytes_ = 0;
    sieve::Limits limits_;
    sieve::Extensions extensions_;
    std::string global_;
    mutable std::mutex mutex_;
    std::list<Entry> recent_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
    std::uint64_t compiled_ = 0;
};

}  // namespace gk::sieve_scripts
