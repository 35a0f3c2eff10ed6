// SPDX-License-Identifier: MIT
#include "common/delivery/filter.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.hpp"
#include "common/base/time.hpp"
#include "common/directory/directory.hpp"
#include "common/os/file.hpp"
#include "common/sieve_scripts/settings.hpp"

namespace gk::delivery {

namespace {

constexpr std::uint64_t kLargestNotes = 64 * 1024;

std::string hostname_of(const config::Config& config) {
    if (const auto& name = config.string("server.hostname"); !name.empty()) return name;
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

// What a script asks of the account. Trouble with the store or the memory answers like nothing being there.
class Host final : public sieve::Host {
public:
    Host(const FilterInput& input, Memory& memory) : input_(input), memory_(memory) {}

    bool mailbox_exists(std::string_view mailbox) override {
        if (input_.store == nullptr || !store::check_name(mailbox)) return false;
        const auto found = input_.store->find(store::canonical_name(mailbox));
        return found && found->exists;
    }
    std::optional<std::string> metadata(std::string_view mailbox, std::string_view annotation) override {
        if (input_.store == nullptr) return std::nullopt;
        const auto all = input_.store->annotations(mailbox.empty() ? "" : store::canonical_name(mailbox));
        if (!all) return std::nullopt;
        for (const auto& [name, value] : *all)
            if (text::equals_nocase(name, annotation)) return value;
        return std::nullopt;
    }
    bool special_use_exists(std::string_view mailbox, std::string_view attribute) override {
        if (input_.store == nullptr) return false;
        if (mailbox.empty()) {
            const auto used = input_.store->find_special_use(attribute);
            return used && !used->empty();
        }
        const auto found = input_.store->find(store::canonical_name(mailbox));
        if (!found || !found->exists) return false;
        for (const auto word : text::words(found->special_use))
            if (text::equals_nocase(word, attribute)) return true;
        return false;
    }
    bool seen(std::string_view id) override {
        const auto known = memory_.knows(Memory::Kind::Duplicate, id, input_.now_s);
        return known && *known;
    }
    std::optional<double> spam_percent() override { return input_.spam_percent; }
    std::optional<int> virus_value() override { return input_.virus_value; }

private:
    const FilterInput& input_;
    Memory& memory_;
};

}  // namespace

FilterOptions FilterOptions::from(const config::Config& config) {
    FilterOptions options;
    options.before = config.string("sieve.before");
    options.after = config.string("sieve.after");
    options.global = config.string("sieve.global");
    options.host_name = hostname_of(config);
    options.delimiter = config.string("delivery.subaddress_delimiter");
    options.limits = sieve_scripts::language_limits(config);
    options.extensions = sieve_scripts::extensions(config);
    options.scripts = sieve_scripts::Limits::from(config);
    options.cached = static_cast<std::size_t>(config.integer("sieve.cached"));
    options.remembered = static_cast<std::size_t>(config.integer("sieve.remembered"));
    return options;
}

Filter::Filter(FilterOptions options)
    : options_(std::move(options)), cache_(options_.cached, options_.limits, options_.extensions, options_.global) {}

Result<std::vector<Filter::Chosen>> Filter::scripts_of(const std::string& home) const {
    std::vector<Chosen> chosen;
    const auto add_all = [&](const std::string& directory) -> Status {
        GK_TRY(const auto paths, sieve_scripts::scripts_in(directory));
        for (const auto& path : paths) chosen.push_back({path, path});
        return ok();
    };
    GK_CHECK(add_all(options_.before));
    GK_TRY(auto active, sieve_scripts::Store(home, options_.scripts).active());
    if (active) chosen.push_back({std::move(active->name), std::move(active->path)});
    GK_CHECK(add_all(options_.after));
    return chosen;
}

Filtered Filter::run(const std::vector<Chosen>& scripts, const FilterInput& input, Memory& memory,
                     const sieve::Trace& trace) {
    Filtered filtered;
    const sieve_scripts::Store store(input.home, options_.scripts);
    std::vector<std::shared_ptr<const sieve::Script>> compiled;
    for (const auto& one : scripts) {
        auto script = cache_.get(one.path, one.name, store);
        if (!script.script) {
            for (const auto problem : text::split(script.error, '\n')) filtered.errors.emplace_back(problem);
            continue;
        }
        compiled.push_back(std::move(script.script));
        filtered.scripts += (filtered.scripts.empty() ? "" : ", ") + one.name;
    }
    if (compiled.empty()) {
        sieve::Store keep;
        keep.mailbox = input.default_mailbox;
        keep.keep = keep.implicit = true;
        filtered.outcome.actions.push_back({std::move(keep), 0, 0, -1});
        return filtered;
    }
    const std::string domain(directory::domain_of(input.account));
    sieve::Facts facts;
    facts.reverse_path = input.reverse_path;
    facts.recipient = input.recipient;
    facts.original_recipient = input.original_recipient;
    facts.own_addresses = {input.account};
    facts.own_name = input.own_name;
    facts.subaddress_delimiter = options_.delimiter;
    facts.default_mailbox = input.default_mailbox;
    facts.host_name = options_.host_name;
    facts.domain = domain;
    facts.now_s = input.now_s;
    Host host(input, memory);
    filtered.outcome = sieve::run_all(compiled, facts, input.message, host, options_.limits, trace);
    if (!filtered.outcome.error.empty())
        filtered.errors.push_back(fmt::format("{}: {}", filtered.scripts, filtered.outcome.error));
    return filtered;
}

void note_for_owner(const std::string& home, std::string_view line) {
    const std::string path = home + "/sieve.log";
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0 && static_cast<std::uint64_t>(st.st_size) > kLargestNotes)
        static_cast<void>(os::rename(path, path + ".old"));
    static_cast<void>(
        os::append_regular_file(path, fmt::format("{} {}\n", format_rfc3339(now()), text::printable(line, 1000))));
}

}  // namespace gk::delivery
