// SPDX-License-Identifier: MIT
#include <unistd.h>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "cmd/gk-alias/gk_alias.hpp"
#include "common/base/text.hpp"
#include "common/cli/cli.hpp"

namespace gk::alias_tool {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxLine = 4 << 20;  // 10,000 targets fit

Result<std::string> text_of(const json::value& value, std::string_view key) {
    if (value.is_string()) return std::string(value.get_string());
    return fail(Errc::BadInput, fmt::format("'{}' must be a string", key));
}

Result<directory::List> list_of(const json::value& value) {
    if (!value.is_object()) return fail(Errc::BadInput, "'list' must be an object");
    directory::List list;
    for (const auto& [key, field] : value.get_object()) {
        std::string* const into = key == "owner"  ? &list.owner
                                  : key == "post" ? &list.post
                                  : key == "name" ? &list.name
                                                  : nullptr;
        if (into == nullptr)
            return fail(Errc::BadInput,
                        fmt::format("unknown field '{}' in a list", text::printable(std::string_view(key), 40)));
        GK_TRY(*into, text_of(field, key));
    }
    if (list.owner.empty()) return fail(Errc::BadInput, "a list needs an owner");
    return list;
}

Result<directory::NewAlias> parse_json(std::string_view line) {
    boost::system::error_code error;
    const auto value = json::parse({line.data(), line.size()}, error);
    if (error || !value.is_object()) return fail(Errc::BadInput, "not an object of JSON");
    directory::NewAlias alias;
    for (const auto& [key, field] : value.get_object()) {
        if (key == "alias") {
            GK_TRY(alias.address, text_of(field, key));
        } else if (key == "targets") {
            if (!field.is_array()) return fail(Errc::BadInput, "'targets' must be an array");
            for (const auto& target : field.get_array()) {
                GK_TRY(alias.targets.emplace_back(), text_of(target, key));
            }
        } else if (key == "list") {
            GK_TRY(alias.list, list_of(field));
        } else {
            return fail(Errc::BadInput, fmt::format("unknown field '{}'", text::printable(std::string_view(key), 40)));
        }
    }
    return alias;
}

// A file or standard input, a line at a time: a million aliases are never all in memory.
class Lines {
public:
    static Result<Lines> open(const std::string& file) {
        Lines lines;
        lines.name_ = file == "-" ? "stdin" : file;
        lines.file_.reset(file == "-" ? stdin : std::fopen(file.c_str(), "re"));
        if (!lines.file_) return fail_errno(fmt::format("cannot open '{}'", file));
        return lines;
    }
    // Nothing at the end. Empty lines and those with '#' in front are passed over.
    Result<std::optional<std::string_view>> next() {
        for (;;) {
            const ssize_t length = ::getline(&line_, &room_, file_.get());
            if (length < 0 && std::ferror(file_.get()) != 0) return fail_errno(fmt::format("cannot read '{}'", name_));
            if (length < 0) return std::optional<std::string_view>();
            ++number_;
            if (static_cast<std::size_t>(length) > kMaxLine)
                return fail(Errc::BadInput, where() + ": the line is too long");
            const auto line = text::trim({line_, static_cast<std::size_t>(length)});
            if (!line.empty() && line.front() != '#') return std::optional(line);
        }
    }
    std::string where() const { return fmt::format("{}:{}", name_, number_); }

    Lines(Lines&& other) noexcept { *this = std::move(other); }
    Lines& operator=(Lines&& other) noexcept {
        std::swap(file_, other.file_);
        std::swap(name_, other.name_);
        std::swap(line_, other.line_);
        std::swap(room_, other.room_);
        std::swap(number_, other.number_);
        return *this;
    }
    ~Lines() { std::free(line_); }

private:
    Lines() = default;
    struct Close {
        void operator()(std::FILE* file) const {
            if (file != stdin) std::fclose(file);
        }
    };
    std::unique_ptr<std::FILE, Close> file_;
    std::string name_;
    char* line_ = nullptr;
    std::size_t room_ = 0, number_ = 0;
};

}  // namespace

Result<directory::NewAlias> parse_line(std::string_view line) {
    if (line.starts_with('{')) return parse_json(line);
    directory::NewAlias alias;
    for (const auto word : text::words(line)) {
        if (alias.address.empty()) alias.address = word.ends_with(':') ? word.substr(0, word.size() - 1) : word;
        else alias.targets.emplace_back(word);
    }
    return alias;
}

std::string format_line(const directory::Alias& alias) {
    json::object object;
    object["alias"] = alias.address;
    json::array targets;
    for (const auto& target : alias.targets) targets.emplace_back(target);
    object["targets"] = std::move(targets);
    if (alias.list)
        object["list"] = {{"owner", alias.list->owner}, {"post", alias.list->post}, {"name", alias.list->name}};
    return json::serialize(object);
}

int export_aliases(const Arguments& arguments) {
    const auto directory = open(arguments, true);
    if (!directory) return cli::fail(directory.error());
    const Status status = (*directory)->each_alias(arguments.domain, [](const directory::Alias& alias) -> Status {
        fmt::print("{}\n", format_line(alias));
        return ok();
    });
    return status ? 0 : cli::fail(status.error());
}

int apply(const Arguments& arguments) {
    const auto run = [&]() -> Status {
        GK_TRY(auto lines, Lines::open(arguments.file));
        GK_TRY(const auto directory, open(arguments, false));
        if (arguments.prune && !arguments.dry_run && arguments.file != "-" && ::isatty(STDIN_FILENO) != 0 &&
            !cli::confirm("remove aliases that are not declared?", arguments.yes))
            return fail(Errc::Denied, "nothing was changed");
        cli::Rows rows(arguments.json, {"change"});
        const auto next = [&]() -> Result<std::optional<directory::NewAlias>> {
            GK_TRY(const auto line, lines.next());
            if (!line) return std::optional<directory::NewAlias>();
            auto alias = parse_line(*line);
            if (!alias) return fail(alias.error().in(lines.where()));
            return std::optional(std::move(*alias));
        };
        const auto applied =
            directory->apply_aliases(next, {arguments.dry_run, arguments.prune}, directory::Actor::caller(),
                                     [&](const std::string& change) { rows.add({change}); });
        if (!applied) {
            Error error = applied.error();
            error.text += fmt::format(" (at {}; nothing was changed)", lines.where());
            return fail(std::move(error));
        }
        return ok();
    };
    const Status status = run();
    return status ? 0 : cli::fail(status.error());
}

}  // namespace gk::alias_tool
