// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <pty.h>
#include <unistd.h>
#include <thread>

#include "common/cli/cli.hpp"
#include "common/os/fd.hpp"
#include "common/os/file.hpp"

namespace gk::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Puts a descriptor in the place of another for as long as this lives.
class Instead {
public:
    Instead(int place, int fd) : place_(place), before_(::dup(place)) {
        std::fflush(nullptr);
        ::dup2(fd, place);
    }
    ~Instead() {
        std::fflush(nullptr);
        ::dup2(before_.get(), place_);
    }
    Instead(const Instead&) = delete;

private:
    int place_;
    os::Fd before_;
};

struct Terminal {
    Terminal() {
        int ends[2];
        EXPECT_EQ(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr), 0);
        person = os::Fd(ends[0]);
        program = os::Fd(ends[1]);
    }
    void type(std::string_view text) {
        EXPECT_EQ(::write(person.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    // Types TEXT once the program has shown PROMPT.
    void answer(const std::string& prompt, std::string_view text) {
        while (shown.find(prompt, seen) == std::string::npos && read_some()) {}
        seen = shown.size();
        type(text);
    }
    bool read_some() {
        char buffer[4096];
        const ssize_t n = ::read(person.get(), buffer, sizeof buffer);
        if (n > 0) shown.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }
    // All that was shown, once the program's side is closed.
    std::string rest() {
        program.reset();
        while (read_some()) {}
        return shown;
    }

    os::Fd person, program;
    std::string shown;
    std::size_t seen = 0;
};

class Piped {  // stdin that holds these bytes
public:
    explicit Piped(std::string_view bytes) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        reader_ = os::Fd(ends[0]);
        const os::Fd writer(ends[1]);
        EXPECT_EQ(::write(writer.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
        in_.emplace(STDIN_FILENO, reader_.get());
    }

private:
    os::Fd reader_;
    std::optional<Instead> in_;
};

TEST(Secret, IsAskedForTwiceAndNeverShown) {
    Terminal terminal;
    Result<std::string> same, other;
    {
        const Instead in(STDIN_FILENO, terminal.program.get()), err(STDERR_FILENO, terminal.program.get());
        std::thread person([&] {
            terminal.answer("password: ", "hunter2\n");
            terminal.answer("again: ", "hunter2\n");
            terminal.answer("password: ", "one\n");
            terminal.answer("again: ", "two\n");
        });
        same = read_secret("", "password");
        other = read_secret("", "password");
        person.join();
    }
    ASSERT_TRUE(same) << same.error().text;
    EXPECT_EQ(*same, "hunter2");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::BadInput);
    EXPECT_THAT(terminal.rest(), Not(HasSubstr("hunter2")));
}

TEST(Secret, IsReadFromStdinUpToTheFirstLineEnd) {
    {
        const Piped in("s3cret\r\nrest");
        EXPECT_EQ(read_secret("-", "password").value_or("?"), "s3cret");
    }
    {
        const Piped in("no line end");
        EXPECT_EQ(read_secret("", "password").value_or("?"), "no line end");
    }
    const Piped in("\n");
    EXPECT_FALSE(read_secret("-", "password"));
}

TEST(Secret, IsReadFromAFile) {
    const std::string path = "/tmp/gk-unit-secret-" + std::to_string(::getpid());
    ASSERT_TRUE(os::replace_file(path, "from a file\nsecond line\n"));
    EXPECT_EQ(read_secret(path, "password").value_or("?"), "from a file");
    (void)os::unlink(path);
    EXPECT_EQ(read_secret(path, "password").error().code, Errc::NotFound);
}

TEST(Confirm, TakesOnlyAYesAndOnlyFromATerminal) {
    Terminal terminal;
    bool yes = false, no = true, nothing = true;
    {
        const Instead in(STDIN_FILENO, terminal.program.get()), err(STDERR_FILENO, terminal.program.get());
        std::thread person([&] {
            terminal.answer("[y/N]", "Yes\n");
            terminal.answer("[y/N]", "n\n");
            terminal.answer("[y/N]", "\n");
        });
        yes = confirm("sure?", false);
        no = confirm("sure?", false);
        nothing = confirm("sure?", false);
        person.join();
    }
    EXPECT_TRUE(yes);
    EXPECT_FALSE(no);
    EXPECT_FALSE(nothing);
    EXPECT_TRUE(confirm("sure?", true));
    const Piped in("y\n");
    EXPECT_FALSE(confirm("sure?", false));
}

TEST(Items, AreTheFirstColumnsOfLinesOrEndWithNul) {
    {
        const Piped in("a\tsize\n\n  b \nc");
        EXPECT_EQ(read_items(false), (std::vector<std::string>{"a", "b", "c"}));
    }
    const Piped in(std::string_view("a b\0c\td\0", 8));
    EXPECT_EQ(read_items(true), (std::vector<std::string>{"a b", "c\td"}));
}

TEST(Rows, AreAlignedOnATerminalAndShowNothingItObeys) {
    Terminal terminal;
    {
        const Instead out(STDOUT_FILENO, terminal.program.get());
        ::setenv("NO_COLOR", "1", 1);
        Rows rows(false, {"id", "subject"});
        rows.add({std::string("jürgen"), std::string("\033[2Jgone")});
        rows.add({std::int64_t{7}, true});
    }
    ::unsetenv("NO_COLOR");
    EXPECT_EQ(terminal.rest(), "id      subject\r\njürgen  \\x1b[2Jgone\r\n7       yes\r\n");
}

TEST(Errors, AreRedOnATerminalUnlessToldNotTo) {
    Terminal terminal;
    {
        const Instead err(STDERR_FILENO, terminal.program.get());
        EXPECT_EQ(::gk::cli::fail(Error{Errc::NotFound, "no such thing", 0}), 66);
        ::setenv("NO_COLOR", "1", 1);
        EXPECT_EQ(usage("wrong"), 64);
        ::unsetenv("NO_COLOR");
    }
    const auto shown = terminal.rest();
    EXPECT_THAT(shown, HasSubstr(": \033[31mno such thing\033[0m\r\n"));
    EXPECT_THAT(shown, HasSubstr(": wrong\r\n"));
    EXPECT_THAT(shown, HasSubstr("--help'\r\n"));
}

TEST(Progress, IsShownOnlyAfterTwoSecondsAndWipedAway) {
    Terminal quick, slow;
    {
        const Instead err(STDERR_FILENO, quick.program.get());
        Progress progress("reading", 2);
        progress.advance();
        progress.advance();
    }
    EXPECT_EQ(quick.rest(), "");
    {
        const Instead err(STDERR_FILENO, slow.program.get());
        Progress progress("reading", 4);
        progress.advance();
        std::this_thread::sleep_for(std::chrono::milliseconds(2050));
        progress.advance();
    }
    const auto shown = slow.rest();
    EXPECT_THAT(shown, HasSubstr("reading [" + std::string(15, '#') + std::string(15, ' ') + "] 2/4 (50%)"));
    EXPECT_TRUE(shown.ends_with("\r\033[K"));
}

}  // namespace
}  // namespace gk::cli
