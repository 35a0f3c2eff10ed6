// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/imap/grammar/command.hpp"
#include "common/imap/output.hpp"
#include "common/message/structure.hpp"

// What FETCH says of a message's bytes, behind the item's name.
namespace gk::imap {

bool is_whole_message(const FetchItem& item);

// RFC822 and BODY[…]: a literal. STRUCTURE may be absent where is_whole_message() and no part of it is asked for;
// CONVERTED is kept for its memory.
void append_content(OutputQueue& queue, const FetchItem& item, const OutputQueue::File& file,
                    const message::Structure* structure, std::string& converted);
// BINARY[…] and BINARY.SIZE[…] (RFC 3516, 4.2 and RFC 9051, 6.4.5): the part's content with its transfer encoding
// undone; literal8 where it holds a NUL. False: the encoding is not known, and NIL was said.
bool append_binary(OutputQueue& queue, const FetchItem& item, const OutputQueue::File& file,
                   const message::Structure& structure);

}  // namespace gk::imap
