// SPDX-License-Identifier: MIT
#include "common/sieve_scripts/cache.hpp"

#include <sys/stat.h>
#include <algorithm>

namespace gk::sieve_scripts {

std::string FileIncludes::path_of(Place place, std::string_view name) const {
    if (!check_name(name)) return "";
    if (place == Place::Personal) return store_.path_of(name);
    return global_.empty() ? "" : global_ + "/" + file_of(name);
}

std::optional<std::string> FileIncludes::find(Place place, std::string_view name) {
    const std::string path = path_of(place, name);
    if (path.empty()) return std::nullopt;
    auto text = read_script(path, store_.limits().size, place == Place::Global);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

Stamp stamp_of(const std::string& path) {
    struct stat st {};
    if (path.empty() || ::stat(path.c_str(), &st) != 0) return {};
    const auto ns = [](const timespec& t) {
        return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
    };
    return {st.st_dev, st.st_ino, static_cast<std::uint64_t>(st.st_size), ns(st.st_mtim), ns(st.st_ctim)};
}

Cache::Compiled Cache::get(const std::string& path, const std::string& name, const Store& store) {
    const Stamp stamp = stamp_of(path);
    // An administrator's script may include one of the account's, so that it is another for each.
    const std::string key = path + '\0' + store.directory();
    {
        const std::lock_guard lock(mutex_);
        const auto found = by_key_.find(key);
        if (found != by_key_.end() && found->second->stamp == stamp && stamp != Stamp{}) {
            const auto& included = found->second->included;
            const bool same = std::all_of(included.begin(), included.end(),
                                          [](const auto& one) { return stamp_of(one.first) == one.second; });
            if (same) {
                recent_.splice(recent_.begin(), recent_, found->second);
                return found->second->compiled;
            }
        }
    }
    Entry entry{.key = key, .stamp = stamp, .bytes = 0, .included = {}, .compiled = {}};
    FileIncludes includes(store, global_);
    const bool own = path.starts_with(store.directory() + '/');
    if (const auto text = read_script(path, limits_.script_size, !own); !text) {
        entry.compiled.error = text.error().text;
    } else {
        const auto script =
            sieve::compile(*text, {.limits = limits_, .extensions = extensions_, .includes = &includes});
        if (script) {
            entry.compiled.script = *script;
            entry.bytes = text->size();
            for (const auto& one : (*script)->includes()) {
                const std::string file = includes.path_of(one.place, one.name);
                entry.included.emplace_back(file, stamp_of(file));
                entry.bytes += entry.included.back().second[2];
            }
        } else {
            for (const auto& problem : script.error())
                entry.compiled.error += (entry.compiled.error.empty() ? "" : "\n") + problem.format(name);
        }
    }
    const std::lock_guard lock(mutex_);
    ++compiled_;
    if (const auto old = by_key_.find(key); old != by_key_.end()) forget(old->second);
    // One that does not compile may include what it does not name here, so it is read anew each time.
    if (!entry.compiled.script) return entry.compiled;
    bytes_ += entry.bytes;
    recent_.push_front(entry);
    by_key_[key] = recent_.begin();
    while (!recent_.empty() && (recent_.size() > most_ || bytes_ > most_bytes_)) forget(std::prev(recent_.end()));
    return entry.compiled;
}

void Cache::forget(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    by_key_.erase(entry->key);
    recent_.erase(entry);
}

std::uint64_t Cache::compiled() const {
    const std::lock_guard lock(mutex_);
    return compiled_;
}

}  // namespace gk::sieve_scripts
