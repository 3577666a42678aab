"""
The mistakes that programs with sockets have: how they are called, what they are, and how they are mended.

One table for all contracts. A scenario that fails names one of them; the report shows its words.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Mistake", "mistakeCalled"]


class Mistake(Enum):
    """
    A mistake.

    @ivar id: what reports and a teacher's file call it.
    @ivar sentence: what was done, to whom has done it.
    @ivar explanation: why that is a mistake.
    @ivar cure: what helps.
    """

    ONE_RECV = (
        "one-recv",
        "You took one recv for one message.",
        "TCP is a stream of bytes without boundaries: what one side sends in one piece may arrive in "
        "several, and "
        "what it sends in several may arrive in one.",
        "Keep what has come in a buffer of the connection. While it holds a whole message, take that one "
        "off its "
        "beginning and answer it; leave the rest where it is.",
    )
    SHORT_RECV = (
        "short-recv",
        "You called recv(n) once, and took what it returned for n bytes.",
        "recv(n) returns what is there: at least one byte, and at most n. A message may come in pieces.",
        "Call recv in a loop until all n bytes are there, or until it returns b'', which is the end.",
    )
    ONE_REQUEST = (
        "one-request",
        "You end the connection after the first answer.",
        "A client may ask several times on one connection; it is the client who ends it.",
        "Read the next request in a loop, until recv returns b''.",
    )
    ONE_CONNECTION = (
        "one-connection",
        "Your server ends with its first client.",
        "A server is there for all who come, one after the other and at the same time.",
        "Accept the next client in a loop.",
    )
    ONE_CLIENT = (
        "one-client",
        "You serve one client at a time.",
        "While your program waits for one client, all others wait with it, for as long as that one likes.",
        "Use a selector (select, selectors, asyncio, Twisted) or a thread for each connection.",
    )
    BYTE_ORDER = (
        "byte-order",
        "Your numbers have their bytes in the wrong order.",
        "The same four bytes are one number read from the left and another read from the right. The "
        "protocol says "
        "which order is meant.",
        "Write the order into the format of struct: '<' for little-endian, '!' for network order.",
    )
    PADDING = (
        "padding",
        "Your struct has another layout than the protocol's.",
        "Without '<', '>', '=' or '!' struct aligns fields as a C compiler does, with pad bytes between "
        "them; the "
        "order and the sizes of fields matter as well.",
        "Compare struct.calcsize of your format with the size that the protocol gives, then field by "
        "field.",
    )
    FORMAT = (
        "format",
        "What you send is not what the protocol says.",
        "The peer reads exactly the bytes that the protocol describes; there is nobody who could guess.",
        "Compare your bytes with those in the protocol's description, from the first one that differs.",
    )
    WRONG_RESULT = (
        "wrong-result",
        "The answer has the right form and is wrong.",
        "The bytes were read and written as they should be; what was done in between is not what was "
        "asked for.",
        "Print what you have read and what you compute, and do it once by hand.",
    )
    UNSIGNED = (
        "unsigned",
        "You read or write signed numbers as unsigned ones.",
        "-1 as an unsigned int32 is 4294967295: the same bytes, another number.",
        "Use 'i' in struct's format, not 'I' (and 'q', not 'Q').",
    )
    OVERFLOW = (
        "overflow-kills",
        "A result that does not fit ends your program, or the connection of the client.",
        "Python's numbers have no limit, four bytes have one: struct.pack raises struct.error.",
        "Compare with the limits before you pack, and answer with the protocol's error.",
    )
    INPUT_KILLS = (
        "input-kills",
        "One bad request ends your program.",
        "What comes from the network is input, and anybody can send anything. An exception that nobody "
        "catches ends "
        "the program for all clients.",
        "Catch what can go wrong where a request is worked on, answer with an error or end that "
        "connection, and go "
        "on with the others.",
    )
    RESET_KILLS = (
        "reset-kills",
        "A client that breaks its connection off ends your program.",
        "Then recv or send raises ConnectionResetError or BrokenPipeError. That is an ordinary end of one "
        "connection.",
        "Catch OSError around the work on one connection, close that connection, and go on with the "
        "others.",
    )
    CUT_KILLS = (
        "cut-kills",
        "A client that leaves in the middle of a message ends your program.",
        "The end of the stream may come at any byte. What has come until then is no message, and taking "
        "it apart "
        "raises an exception.",
        "When recv returns b'' in the middle of a message, drop what is there and close this one "
        "connection.",
    )
    HALF_CLOSE = (
        "half-close",
        "You took the end of what the client sends for the end of the client.",
        "shutdown(SHUT_WR) ends one direction only: the client has said everything, and still waits for "
        "the answer.",
        "Answer everything that has come whole before you close.",
    )
    IGNORES_END = (
        "ignores-end",
        "recv returned b'' and you went on.",
        "b'' is the end of the stream: nothing will ever come again. A loop that goes on runs for ever, "
        "or keeps "
        "connections that are long gone.",
        "When recv returns b'', leave the loop and close the connection.",
    )
    NO_REUSE = (
        "no-reuse",
        "Your server can not be started again at once: the address is in use.",
        "After a server has closed a connection its port stays reserved for about a minute (TIME_WAIT).",
        "setsockopt(SOL_SOCKET, SO_REUSEADDR, 1) before bind.",
    )
    SEND_PART = (
        "send-part",
        "You took send for sendall.",
        "send takes as many bytes as there is room for, and returns how many. With a peer that reads "
        "slowly the rest "
        "of your message is lost.",
        "Use sendall, or send the rest in a loop.",
    )
    TRUSTS_LENGTH = (
        "trusts-length",
        "You believe the length that the peer announces.",
        "A length is input like everything else: it may be negative, absurd, or a lie. Who waits for it, "
        "or makes "
        "room for it, can be stopped with four bytes.",
        "Compare it with a limit first; if it is beyond that, answer with an error or close.",
    )
    NO_LIMIT = (
        "no-limit",
        "You keep whatever is sent, without a limit.",
        "A peer that sends for ever without ending its message fills the memory of your program.",
        "Decide how long a message may be, and close the connection of whoever exceeds it.",
    )
    DATAGRAM_KILLS = (
        "datagram-kills",
        "A datagram of another size ends your program.",
        "Any program of the network can send you a datagram of any size from 0 to 65507 bytes.",
        "Compare the size first; what is no request is dropped.",
    )
    WRONG_ADDRESS = (
        "wrong-address",
        "You send an answer to another client than the one who asked.",
        "A UDP socket hears everybody. Each datagram comes with the address of its sender.",
        "Answer with sendto, to the address that recvfrom returned for this very datagram.",
    )
    SHARED_STATE = (
        "shared-state",
        "What clients send gets mixed up.",
        "Each connection is a stream of its own. One buffer for all of them joins the beginning of one "
        "message to "
        "the end of another.",
        "Keep the buffer, and everything else you know of a client, in one object for each connection.",
    )
    ANY_SENDER = (
        "any-sender",
        "You take an answer from anybody.",
        "A UDP socket that is not connected receives what anybody sends to its port, also a forged answer.",
        "connect the socket to the server, or compare the address that recvfrom returns.",
    )
    NO_TIMEOUT = (
        "no-timeout",
        "You wait for ever for an answer that never comes.",
        "Datagrams get lost, and servers hang. Who waits without a limit hangs with them.",
        "settimeout, and then ask once more, or end with a sentence.",
    )
    NO_END = (
        "no-end",
        "Your program does not end when it is done.",
        "The server has said everything, or has gone; there is nothing left to wait for.",
        "Leave the loop when recv returns b'', and close your sockets and threads.",
    )
    UNCAUGHT = (
        "uncaught",
        "Your program ends with a traceback.",
        "That a server is not there, goes away, or sends nonsense is nothing unusual. A traceback is for "
        "programmers, "
        "not for the users of a program.",
        "Catch OSError, and what your own reading of an answer may raise; tell the user in one sentence.",
    )
    HALF_ANSWER = (
        "half-answer",
        "You took a part of an answer for all of it.",
        "The stream ended, or paused, in the middle of the answer. What is there is a part of it.",
        "Read until the answer is whole by the rules of the protocol; if the end comes before, say so.",
    )
    ERROR_AS_RESULT = (
        "error-as-result",
        "You show an error as if it were a result.",
        "The protocol marks errors. Who does not look takes the bytes beside the mark for a result.",
        "Look at the mark first.",
    )
    LINE_ENDS = (
        "line-ends",
        "Your lines end with \\n alone.",
        "The lines of a head end with two characters, carriage return and line feed; an empty line of "
        "that kind "
        "ends the head.",
        "Write \\r\\n at the end of each line, and \\r\\n\\r\\n at the end of the head.",
    )
    IGNORES_LENGTH = (
        "ignores-length",
        "You wait for an end of the connection that does not come.",
        "A server of HTTP/1.1 keeps the connection open after its answer, unless it was asked to close it. "
        "Content-Length says where the answer ends.",
        "Read the head, then as many bytes as Content-Length says; or ask with Connection: close.",
    )
    CHUNKS_AS_CONTENT = (
        "chunks-as-content",
        "You take the sizes of chunks for content.",
        "An answer with Transfer-Encoding: chunked has the size of each chunk between the bytes of the "
        "content. "
        "Whoever asks with HTTP/1.1 has to take chunks.",
        "Put the chunks together before you use the content; or ask with HTTP/1.0, which has none.",
    )
    UNESCAPED = (
        "unescaped",
        "You put what a client sends into a page as it is.",
        "What looks like a tag in it is one, then: anybody can put a script into your page.",
        "html.escape what goes into HTML.",
    )
    SPLIT_WORD = (
        "split-word",
        "You look for the word in each piece by itself.",
        "The beginning of the word may be the end of one piece, and its rest the beginning of the next.",
        "Look when the whole answer is there; or keep as many bytes of the last piece as the word has, "
        "less one.",
    )
    HALF_SEARCHED = (
        "half-searched",
        "You look for the word in a part of the answer only.",
        "It is to be found wherever it stands: in the head, at the beginning of the body, and at its end.",
        "Look into the head and into the body, both of them whole.",
    )
    COMPRESSED = (
        "compressed",
        "You look for the word in compressed bytes.",
        "A browser says with Accept-Encoding that it takes gzip, and then the origin may send the page so.",
        "Take Accept-Encoding out of the request, or decompress what has Content-Encoding before you look.",
    )
    ORIGIN_KILLS = (
        "origin-kills",
        "A bad origin ends your program, or keeps it from serving others.",
        "Origins are not there, break off, and talk nonsense. That is the end of one request.",
        "Catch OSError and what your reading may raise around the work on one request, close both its "
        "connections, and go on.",
    )
    TARGET_AS_IT_CAME = (
        "target-as-it-came",
        "You pass the whole URL on to the origin.",
        "To a proxy a client says GET http://host/path, to an origin it says GET /path.",
        "Take the scheme and the authority off before you pass the request on.",
    )
    DECODE_SPLIT = (
        "decode-split",
        "You decode pieces, not messages.",
        "A character of UTF-8 may have up to four bytes, and a piece may end between them: decode then "
        "fails, or makes "
        "other characters of it.",
        "Collect the bytes of the whole message and decode them together, or use "
        "codecs.getincrementaldecoder.",
    )
    EXTRA = (
        "extra",
        "You send more than the protocol says.",
        "The peer takes what is too much for the beginning of the next message.",
        "Send exactly the bytes of the answer: no newline, no zero at the end, no second copy.",
    )
    ALTERED = (
        "altered",
        "You change the bytes that you pass on.",
        "Spaces, newlines, and bytes that are no text belong to the message. What is stripped, split, or "
        "decoded and encoded again is another message.",
        "Pass on the very bytes that came: no strip, no decode, no text mode.",
    )
    EMPTY_MESSAGE = (
        "empty-message",
        "You take an empty message for none, or for the end.",
        "A length of 0, or a datagram without a byte, is a message as well. Only a recv on a stream that "
        "returns b'' is the end.",
        "Ask whether the length is there, not whether it is true.",
    )
    FIXED_BUFFER = (
        "fixed-buffer",
        "Your buffer is smaller than a message may be.",
        "What a datagram has beyond the n of recvfrom(n) is thrown away; what a stream has beyond it is "
        "still to come.",
        "For datagrams recvfrom(65535); for streams recv in a loop until the message is whole.",
    )
    NO_CLOSE = (
        "no-close",
        "You do not end the connection when everything is said.",
        "The peer reads until the end of the stream, because nothing else says that this was all.",
        "Close the connection, also where an exception leaves the loop: with a with statement.",
    )
    EARLY_CLOSE = (
        "early-close",
        "You close while the peer still sends.",
        "A socket that is closed over input that nobody has read breaks the connection off (RST), and that "
        "may overtake what you have sent before.",
        "shutdown(SHUT_WR), then read until recv returns b'' or a time-out, and only then close.",
    )
    WAITS_FOR_END = (
        "waits-for-end",
        "You wait for the end of the stream before you answer.",
        "The peer keeps its connection open, because it waits for your answer: so both wait for ever.",
        "Answer when a message is whole, whatever comes after it.",
    )
    ANSWERS_ALL = (
        "answers-all",
        "You answer what is no question.",
        "The source of a datagram can be forged. Who answers everything can be made to send to somebody "
        "who never asked, and two that answer everything talk to each other for ever.",
        "Compare the request with those that the protocol knows; drop all others.",
    )
    TRUSTS_CLAIM = (
        "trusts-claim",
        "You believe what a datagram says about somebody else.",
        "Anybody can send anything: whoever may register an address that is not its own can lead the "
        "clients of others to where it likes.",
        "Compare what is claimed with the address that recvfrom returned.",
    )
    NO_EXPIRY = (
        "no-expiry",
        "You keep what has run out.",
        "A service that crashes does not say goodbye. What it said holds for as long "
        "as it said, and no longer.",
        "Write down until when, with time.monotonic(), and look at that whenever you answer.",
    )
    NUL_PADDING = (
        "nul-padding",
        "You keep the zeros that fill a field up.",
        "A field of fixed size is filled up with zero bytes. They belong to the field, not to the text "
        "in it.",
        "Take the text up to the first zero: data.split(b'\\0')[0].",
    )
    WAITS_FOR_WORD = (
        "waits-for-word",
        "You wait for the peer to say something first.",
        "Here it is your side that speaks first; the peer waits for it, and so both wait for ever.",
        "Send what the protocol has at the beginning, and only then call recv.",
    )
    LOCKSTEP = (
        "lockstep",
        "You read from the two sides in turns.",
        "Nobody says that an answer comes after each piece: one side may say much, and the other nothing, "
        "or both may speak at the same time.",
        "Wait for both at once with a selector, or have a thread for each direction.",
    )
    SILENT = (
        "silent",
        "You do not answer.",
        "The request was whole, and the peer waits.",
        "Answer as soon as a request is whole; if you write through a file object, flush it.",
    )
    CRASH = (
        "crash",
        "Your program ended in the middle of its work.",
        "An exception that nobody catches ends the program, and with it the work for everybody else.",
        "Read the traceback from below: its last line says what happened, the one above it where.",
    )
    GHOST = (
        "ghost",
        "You keep a member who has gone.",
        "Others are not told that somebody has left, and messages are still sent to a connection that is "
        "no more.",
        "However the loop of one connection ends, remove that member and tell the others: in a finally.",
    )
    LIST_CHANGED = (
        "list-changed",
        "You change a list while you go through it.",
        "When an element is removed from a list in a for loop over it, the one behind it moves up and is "
        "left out.",
        "Go through a copy: for member in list(members).",
    )
    BROKEN_MEMBER = (
        "broken-member",
        "One member whose connection is broken keeps a message from the others.",
        "send raises an exception for that member, and the loop over all members ends there.",
        "Catch OSError inside the loop, around the send to each single member.",
    )
    SLOW_MEMBER = (
        "slow-member",
        "One member who does not read holds up all the others.",
        "When the buffers of a connection are full, sendall waits until the peer reads, and whoever has "
        "called it waits as well.",
        "Give each member a queue and a thread or a selector that sends from it; drop a member whose queue "
        "grows too long.",
    )
    TO_SENDER = (
        "to-sender",
        "You send a message back to the one who has said it.",
        "A message goes to everybody else; its sender knows it already.",
        "Leave the sender out in the loop over the members.",
    )
    QUIT_IGNORED = (
        "quit-ignored",
        "You do not leave on /quit.",
        "The command ends the connection; it is no message to the others.",
        "Compare the whole text with /quit before it is passed on, and close.",
    )
    TAKES_TURNS = (
        "takes-turns",
        "You wait for the keyboard while messages come.",
        "input() returns when a line is typed. Until then your program does not read what the others say.",
        "Read the connection in a thread of its own, or wait for both with select.",
    )
    TOO_EARLY = (
        "too-early",
        "You end the stream before the other side may know that it has ended.",
        "Its end is what the peer acts upon at once; what it needs for that has to be there before.",
        "Wait for the answer that it is there, and only then close.",
    )
    NOT_TOLD = (
        "not-told",
        "You do not tell the others that the game is over.",
        "They go on playing a game that somebody has won, or wait for ever.",
        "Keep all players of a game in a list, and send the end to each of them.",
    )
    PATH_TRAVERSAL = (
        "path-traversal",
        "You give away files outside of your folder.",
        "A name is input. With ../ or a leading / in it, or through a link, it leads to any file of the "
        "machine.",
        "Take only names without a separator, and check that the resolved path is inside the folder.",
    )
    TEXT_MODE = (
        "text-mode",
        "You read or write a file as text.",
        "Text mode decodes the bytes and translates line ends: what is no text fails, and sizes differ.",
        "open(name, 'rb') and open(name, 'wb').",
    )
    WRONG_SIZE = (
        "wrong-size",
        "The size that you announce is not the number of bytes.",
        "The peer counts bytes. Characters are fewer when some of them take several bytes.",
        "Announce len() of the very bytes that you send.",
    )
    NOT_STARTED = (
        "not-started",
        "Your program does not listen, or does not connect, where it should.",
        "Nobody can be examined who is not there.",
        "Compare the port, the address and the transport (TCP or UDP) with those of the exercise.",
    )
    ENDLESS_OUTPUT = (
        "endless-output",
        "Your program writes without end.",
        "Mostly a loop goes on after the end of the stream, where recv returns b'' at once, for ever.",
        "When recv returns b'', leave the loop.",
    )
    ENDLESS_FORKS = (
        "endless-forks",
        "Your program starts processes without end.",
        "Each process takes memory and a place in the system's table; when these are full the whole "
        "machine stands.",
        "Start one for each connection, wait for those that have ended, and have a limit.",
    )
    TOO_MUCH_MEMORY = (
        "too-much-memory",
        "Your program takes more memory than it may.",
        "What a peer sends, or only announces, must not decide how much memory you take.",
        "Have a limit for every message and every buffer.",
    )

    def __init__(self, id: str, sentence: str, explanation: str, cure: str) -> None:
        self.id = id
        self.sentence = sentence
        self.explanation = explanation
        self.cure = cure


def mistakeCalled(id: str) -> Mistake:
    """
    The mistake of that id.

    @raise KeyError: there is none.
    """
    for mistake in Mistake:
        if mistake.id == id:
            return mistake
    raise KeyError(id)
