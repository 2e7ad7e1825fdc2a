"""Words of the languages in which prose is shortened: what tells them, and what must stay.

A language is here only if its negations are. `GRAMMAR` are words that hold most sentences
together; by their share prose is told from lists, tables and other languages. `FIRM` turn a
statement into another one where they are missing: negations, modals, conjunctions that choose,
conditions, limits. `COUNTS` are numbers in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Language(NamedTuple):
    """In lower case. `binding`: negations and modals; the word behind one stays as well."""

    grammar: frozenset[str]
    binding: frozenset[str]
    firm: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _language(grammar: str, binding: str, firm: str) -> Language:
    bound = _words(binding)
    return Language(_words(grammar), bound, bound | _words(firm))


ENGLISH = _language(
    grammar="""the a an of to in on at by for from with as is are was were be been being has have
    had do does did it its this that these those which who whom whose there their they them he she
    his her we our you your i my me and or but not if so than then when while where also about into
    over after before between through during such more most other some any can will would could
    may should must""",
    binding="""no not never neither nor cannot without must shall should may might can could will
    would ought need needs hardly barely scarcely unlikely fails failed refuses
    refused denied lacks lacking""",
    firm="""and or but nor either both yet however although though except unless until only just
    if else otherwise whether because since while instead rather than then before after during
    all any every each some few many most more less least fewer none nothing nobody nowhere always
    often sometimes rarely seldom required requires forbidden prohibited optional allowed
    mandatory almost nearly about approximately roughly over under above below between
    within up down per minus plus times first second third last next previous same different
    true false yes""",
)
GERMAN = _language(
    grammar="""der die das den dem des ein eine einen einem einer und oder aber ist sind war waren
    sein wird werden wurde hat haben hatte zu zum zur in im an am auf aus bei mit nach von vom vor
    für über unter durch um es er sie wir ihr ich sich als auch wie so dass daß nicht noch nur
    wenn dann""",
    binding="""nicht nie niemals kein keine keinen keinem keiner keines weder ohne muss muß müssen
    musste soll sollen sollte sollten darf dürfen durfte kann können konnte könnte mag mögen will
    wollen wird würde würden kaum""",
    firm="""und oder aber noch sondern jedoch außer nur wenn falls sonst ob weil obwohl statt als
    dann bevor nachdem während bis alle alles jede jeder jedes einige wenige viele mehr weniger
    mindestens höchstens nichts niemand immer oft selten fast etwa über unter zwischen pro minus
    plus erste zweite dritte letzte nächste ja nein wahr falsch""",
)
FRENCH = _language(
    grammar="""le la les un une des du de et ou mais est sont était étaient être a ont avait avoir
    à au aux en dans sur sous par pour avec sans ce cette ces cet il elle ils elles nous vous je on
    se sa son ses leur leurs qui que dont où ne pas plus comme aussi si""",
    binding="""ne pas non ni jamais rien aucun aucune sans doit doivent devrait devraient devait
    peut peuvent pourrait pourraient pouvait faut faudrait sera seront guère""",
    firm="""et ou mais donc car sauf seulement si sinon lorsque quand parce quoique bien plutôt
    avant après pendant jusque tous toutes tout toute chaque quelques peu beaucoup plus moins
    personne toujours souvent rarement presque environ entre par premier première deuxième dernier
    oui vrai faux""",
)
SPANISH = _language(
    grammar="""el la los las un una unos unas de del y o pero es son era eran ser está están ha han
    había haber a al en con por para sin sobre entre que quien cual cuyo se su sus lo le les nos no
    más como también si este esta estos estas ese esa""",
    binding="""no ni nunca jamás nada ningún ninguna ninguno sin debe deben debería deberían debía
    puede pueden podría podrían podía hay será serán apenas""",
    firm="""y e o u pero sino excepto salvo solo sólo si cuando porque aunque antes después durante
    hasta todos todas todo toda cada algunos algunas pocos muchos más menos nadie siempre casi
    aproximadamente entre por primero primera segundo último sí verdadero falso""",
)
ITALIAN = _language(
    grammar="""il lo la i gli le un uno una di del della dei delle e o ma è sono era erano essere ha
    hanno aveva avere a al alla ai in nel nella con per da dal dalla su sul sulla che chi cui si
    suo sua suoi loro non più come anche se questo questa questi""",
    binding="""non né mai niente nulla nessun nessuna nessuno senza deve devono dovrebbe dovrebbero
    doveva può possono potrebbe potrebbero poteva sarà saranno appena""",
    firm="""e ed o od ma però tranne eccetto salvo solo soltanto se quando perché benché anziché
    prima dopo durante fino tutti tutte tutto tutta ogni alcuni pochi molti più meno sempre quasi
    circa tra fra per primo prima secondo ultimo sì vero falso""",
)
PORTUGUESE = _language(
    grammar="""o a os as um uma uns umas de do da dos das e ou mas é são era eram ser está estão foi
    tem têm havia ao à em no na nos nas com por para sem sobre entre que quem qual cujo se seu sua
    seus suas não mais como também este esta isso""",
    binding="""não nem nunca jamais nada nenhum nenhuma ninguém sem deve devem deveria deveriam
    devia pode podem poderia poderiam podia será serão apenas""",
    firm="""e ou mas porém exceto salvo só somente se quando porque embora antes depois durante até
    todos todas todo toda cada alguns algumas poucos muitos mais menos sempre quase cerca entre
    por primeiro primeira segundo último sim verdadeiro falso""",
)
DUTCH = _language(
    grammar="""de het een van en of maar is zijn was waren wordt worden werd heeft hebben had te in
    op aan bij met naar uit voor over onder door om dat die dit deze er hij zij ze we wij u ik men
    zich als ook niet nog dan wel""",
    binding="""niet nooit geen noch zonder moet moeten moest zou zouden zal zullen mag mogen mocht
    kan kunnen kon konden wil willen nauwelijks""",
    firm="""en of maar behalve alleen slechts als tenzij anders omdat hoewel voordat nadat
    tijdens tot alle alles elke elk ieder enkele weinig veel meer minder minstens hoogstens niets
    niemand altijd vaak zelden bijna ongeveer tussen per eerste tweede laatste ja nee waar""",
)
LANGUAGES: Sequence[Language] = (ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, DUTCH)

COUNTS = _words(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    hundred hundreds thousand thousands million millions billion billions trillion dozen half
    quarter percent once twice double triple
    null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig
    fünfzig hundert tausend million millionen milliarde milliarden prozent halb
    deux trois quatre cinq sept huit neuf dix onze douze vingt trente quarante cinquante cent
    mille millions milliard milliards pourcent
    dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta cincuenta
    cien ciento mil millón millones
    due tre quattro cinque sei sette otto nove dieci undici dodici venti trenta cento mila milione
    milioni miliardo miliardi
    dois três quatro sete oito dez onze doze vinte trinta cem milhão milhões bilhão
    twee drie vijf zes zeven acht negen tien elf twaalf twintig dertig honderd duizend miljoen
    miljard"""
)
