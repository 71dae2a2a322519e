"""Labs for a class: a folder with hidden conditions for each student, an answer sheet, and a grade without answers.

lab         what the file of a lab may say, and its checks
catalogue   the labs that there are
lot         which conditions a student gets, and what is true of them: from the lab and a seed, never from a folder
recording   what a measurer had of a condition, in a pack that somebody else made
making      the same, made here in a guest; the only module that needs one, with `attempts`
picture     what was measured, drawn and as a table
desk        a student's folder: begun, and read again
attempts    what students try by themselves against their hidden condition
tried       the tries that a folder has
sheet       the answers that a student wrote
grading     answers beside the truth: points, and what kind of mistake it is
contest     a student's detector on recordings that the student has not seen
results     a grade as JSON, JUnit and Gradescope's results.json
laptop      what works on a laptop, in one line, for whoever prepares a class
"""
