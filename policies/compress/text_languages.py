"""Statements of languages whose lines have few of the signs that those of most have."""

from __future__ import annotations

# Of a line, behind the white space that it starts with: Lisp; directives of assemblers and
# requests of roff; Haskell; Erlang; POD; Texinfo; COBOL; what begins with a word, of which those
# in capitals are Fortran's and COBOL's; remarks; what goes on in the next line.
STATEMENT = r"""
    ['`\#,@]{0,2}\([a-z*+<>=!?:&%/.-][\w*+<>=!?:&%/.\#-]*(?:[\s(]|\)*\s*$)
  | \.\ {0,4}[A-Za-z][\w-]*[\t\x20]+\S | \.\\" | \.(?:text|data|bss)\s*$
  | [A-Za-z_('][\w'.,()\x20]{0,60}\ ::\s
  | -[a-z_]{1,20}\(
  | =(?:head[1-4]|item|over|back|cut|pod|encoding)(?:\s|$)
  | @(?:item|node|section|end|code|tab|c)[\x20{]
  | [0-9][0-9]\ [^\n]*\ (?:PIC|VALUE|pic|value)\ [^\n]*\.\s*$
  | (?:val|external|exception|newtype|deriving|instance|defmodule
      |Lemma|Theorem|Definition|Fixpoint|Inductive|Notation)\ [\w('"]
  | (?:Proof|Qed)\.
  | (?:CALL|DO|IF|ELSE|ENDIF|ENDDO|CONTINUE|SUBROUTINE|FUNCTION|INTEGER|REAL|COMPLEX|CHARACTER
      |LOGICAL|PARAMETER|DIMENSION|EXTERNAL|INTRINSIC|COMMON|DOUBLE\ PRECISION|MOVE|DISPLAY
      |PERFORM|COMPUTE|EVALUATE|INITIALIZE|END[\x20-][A-Z]+)(?:[\s(.*]|$)
  | (?:mov|add|sub|xor|cmp)[lq]?[\t\x20]+[^\s,]+, | (?:lea|ldr|str)[\t\x20]+[^\s,]+,
  | (?:\(\*|\{-|/\*|//|\*>|dnl|REM|rem)(?:[\s*|]|$) | \*\s*$
  | [^\n]*[,;{}]\ +(?://|/\*)
  | (?:[^\n]*\s)?(?:do|then|where|=|=>|->|<-)\s*$
"""
# Of a line that starts with white space: an operation of a processor and what it works on.
OPERATION = r"""
    [a-z][a-z0-9.]{0,11}
    (?: \t\S+\s*$
      | [\t\x20]+[^\s,]+(?:,[\t\x20]*[^\s,]+)*,[\t\x20]*[^\s,]*[^\s,:]
        (?:\s*$|\s+(?:[;\#@!/|]|C\ )) )
"""
